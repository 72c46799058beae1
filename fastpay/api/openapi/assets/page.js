// Shows /openapi.json. The page asks no other server, and keeps no key.

/* An object names others, which can be shown in its place and name others again, and so does an error. For each
   operation the page would follow millions of ways through them. Here such a field is the identifier, or an object. */
function withoutOthers(part) {
  if (Array.isArray(part)) return part.map(withoutOthers);
  if (part === null || typeof part !== "object") return part;
  const { "x-expansionResources": expanded, "x-codes": codes, ...rest } = part;
  if (expanded && rest.anyOf) rest.anyOf = rest.anyOf.filter((one) => !one.$ref);
  for (const name of Object.keys(rest)) rest[name] = withoutOthers(rest[name]);
  return rest;
}

window.addEventListener("DOMContentLoaded", async () => {
  const answer = await fetch("/openapi.json");
  const spec = withoutOthers(await answer.json());
  for (const shown of Object.values(spec.components.schemas.error.properties.error.properties)) {
    if (shown.$ref) delete shown.$ref;
  }
  window.reference = SwaggerUIBundle({
    spec,
    dom_id: "#reference",
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    docExpansion: "none",
    filter: true,
    tryItOutEnabled: true,
    validatorUrl: null,
  });
});
