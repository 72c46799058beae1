"use strict";
// Asks the browser for a passkey, or makes one, and sends it with the form. The server has put the options into it.
// Forms for passkeys are hidden until this has found that the browser has them.

const fromText = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function make(options) {
  options.challenge = fromText(options.challenge);
  options.user.id = fromText(options.user.id);
  options.excludeCredentials.forEach((known) => { known.id = fromText(known.id); });
  const made = await navigator.credentials.create({ publicKey: options });
  return {
    id: made.id, rawId: toText(made.rawId), type: made.type,
    response: {
      clientDataJSON: toText(made.response.clientDataJSON),
      attestationObject: toText(made.response.attestationObject),
    },
  };
}

async function ask(options) {
  options.challenge = fromText(options.challenge);
  const found = await navigator.credentials.get({ publicKey: options });
  return {
    id: found.id, rawId: toText(found.rawId), type: found.type,
    response: {
      clientDataJSON: toText(found.response.clientDataJSON),
      authenticatorData: toText(found.response.authenticatorData),
      signature: toText(found.response.signature),
      userHandle: found.response.userHandle && toText(found.response.userHandle),
    },
  };
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  const button = form.querySelector("button");
  const problem = form.querySelector("[role=alert]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    problem.textContent = "";
    try {
      const options = JSON.parse(form.dataset.options);
      const credential = await (form.dataset.passkey === "make" ? make(options) : ask(options));
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch (error) {
      button.disabled = false;
      problem.textContent = error.name === "InvalidStateError"
        ? "This device has a passkey for you already."
        : "There was no passkey: it was cancelled, took too long, or this browser has none for this address.";
    }
  });
}
