"""An authenticator of passkeys in software, which signs whatever a test wants.

Source: W3C Web Authentication Level 3, 6.1 (authenticator data) and 6.5 (attestation objects).
"""

import base64
import hashlib
import html
import json
import os
import re
import struct
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def options_on(page: str, kind: str) -> dict[str, Any]:
    """Return the options with which a page asks for a passkey ("ask") or offers to make one ("make")."""
    found = re.search(rf'data-passkey="{kind}" data-options="([^"]*)"', page)
    assert found is not None, page
    options: dict[str, Any] = json.loads(html.unescape(found[1]))
    return options


class Authenticator:
    """A device with one passkey. `count` is its signature counter; a device without one has 0 for ever."""

    def __init__(self, *, count: int = 0) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = os.urandom(32)
        self.count = count
        self.user = b""

    def make(
        self, options: dict[str, Any], origin: str, *, flags: int = PRESENT | VERIFIED, **client: str
    ) -> str:
        """Return what a browser sends for a new passkey. `client` replaces parts of what it says."""
        self.user = from_text(options["user"]["id"])
        point = self._key.public_key().public_numbers()
        public_key = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)}
        attested = bytes(16) + struct.pack(">H", 32) + self.credential_id + cbor2.dumps(public_key)
        data = self._data(options["rp"]["id"], flags | ATTESTED) + attested
        return self._credential(
            clientDataJSON=_client_data("webauthn.create", options, origin, client),
            attestationObject=cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data}),
        )

    def sign(
        self,
        options: dict[str, Any],
        origin: str,
        *,
        flags: int = PRESENT | VERIFIED,
        rp_id: str | None = None,
        user: bytes | None = None,
        **client: str,
    ) -> str:
        """Return what a browser sends to prove a passkey."""
        said = _client_data("webauthn.get", options, origin, client)
        data = self._data(rp_id or options["rpId"], flags)
        signature = self._key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        handle = self.user if user is None else user
        return self._credential(
            clientDataJSON=said, authenticatorData=data, signature=signature, userHandle=handle
        )

    def _data(self, rp_id: str, flags: int) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _credential(self, **response: bytes) -> str:
        name = to_text(self.credential_id)
        shown = {key: to_text(value) for key, value in response.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": shown})


def _client_data(kind: str, options: dict[str, Any], origin: str, client: dict[str, str]) -> bytes:
    said = {"type": kind, "challenge": options["challenge"], "origin": origin, "crossOrigin": False}
    return json.dumps(said | client).encode()


def to_text(value: bytes) -> str:
    """Return bytes in base64url, without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def from_text(text: str) -> bytes:
    """Return the bytes of a text in base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
