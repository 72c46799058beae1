"""What others make an operator's browser send and show."""

import re
import uuid
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import httpx

from tests.support.api import open_client
from tests.support.description import described
from tests.support.operators import (
    SignedIn,
    get,
    hidden,
    join,
    page_of,
    post,
)
from tests.support.servers import RunningServer, execute
from tests.support.tenants import Tenant, make_tenant

DOCUMENT = described()
SCHEMAS = DOCUMENT["components"]["schemas"]
EVIL = "<script>alert(1)</script>'\"><img src=x onerror=alert(1)>"
OWN_SCRIPTS = ("/console/static/htmx.min.js", "/console/static/passkeys.js")
PAGES = ("", "tenants", "health", "health/now", "routes", "audit", "nothing", "payments/x/test/y")


def test_a_form_of_another_page_changes_nothing(
    http: httpx.Client, ada: SignedIn, tenant: Tenant, payment: dict[str, str]
) -> None:
    page = page_of(tenant, payment)
    shown = get(http, page, ada).text
    fields = {"token": hidden(shown, "token"), "key": hidden(shown, "key"), "amount": "1.00"}
    for origin in ("", "null", "http://evil.example", "http://127.0.0.1", f"{http.base_url}.evil.example"):
        headers = {"Cookie": ada.cookie, "Origin": origin}
        assert http.post(f"{page}/capture", data=fields, headers=headers).status_code == 403
    for token in ("", "0" * 64, "ü"):
        assert post(http, f"{page}/capture", ada, **{**fields, "token": token}).status_code == 403
    assert "requires_capture" in get(http, page, ada).text


def test_every_answer_forbids_frames_scripts_of_others_and_caches(http: httpx.Client, ada: SignedIn) -> None:
    paths = [*(f"/console/{name}" for name in PAGES), "/console/sign-in", "/console/static/console.css"]
    answers = [get(http, path, ada) for path in paths] + [http.get("/console/sign-in")]
    answers += [
        http.post("/console/sign-in", data={}),
        http.put("/console/"),
        http.get("/console/invitation/x"),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert not any(name.startswith("access-control") for name in answer.headers)


def texts_of(schema: Any) -> Any:
    """Return a value of a schema with the evil text wherever a text may be; None if there is none."""
    schema = SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "anyOf" in schema:
        return next((found for part in schema["anyOf"] if (found := texts_of(part))), None)
    if schema.get("type") == "array":
        return [found] if (found := texts_of(schema["items"])) else None
    if "properties" in schema:
        inside = {name: texts_of(inner) for name, inner in schema["properties"].items()}
        return {name: found for name, found in inside.items() if found} or None
    is_text = "string" in schema.get("type", ()) and not schema.keys() & {"enum", "const", "pattern"}
    return EVIL[: schema.get("maxLength", len(EVIL))] if is_text else None


def create(api: httpx.Client, path: str, needed: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Create an object with the evil text in all that may be any text; return it, and in how many that is."""
    schema = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    body = texts_of(schema) | {"metadata": {EVIL[:20]: EVIL}} | needed
    while True:
        answer = api.post(path, json=body)
        if answer.status_code == 200:
            return answer.json(), repr(body).count("<script>")
        # What is refused is no free text; what lacks something that is no text is left out.
        names = re.findall(r"[^\[\]]+", answer.json()["error"]["param"])
        assert names[0] not in needed, answer.text
        if not remove(body, names):
            del body[names[0]]


def remove(value: Any, names: list[str]) -> bool:
    """Remove what is at a path; return whether there was something."""
    for name in names[:-1]:
        value = value[int(name)] if isinstance(value, list) else value.get(name, {})
    if names[-1] not in value:
        return False
    del value[names[-1]]
    return True


def test_every_text_that_a_client_can_set_is_shown_as_text(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    tenant = make_tenant(server.database_url)
    with open_client(server.url, tenant.secret) as api:
        customer, in_customer = create(api, "/v1/customers", {"email": "a@example.com"})
        paid = {"amount": 100, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
        payment, in_payment = create(
            api,
            "/v1/payment_intents",
            paid | {"customer": customer["id"], "allowed_payment_method_types": ["card"]},
        )
        _, in_refund = create(api, "/v1/refunds", {"payment_intent": payment["id"]})
        url = "https://example.com/<script>alert(1)</script>"
        endpoint, in_endpoint = create(api, "/v1/webhook_endpoints", {"url": url, "enabled_events": ["*"]})
    assert min(in_refund, in_endpoint) >= 1
    assert min(in_customer, in_payment) >= 5, (in_customer, in_payment)
    rename = f"update tenant set name = $name${EVIL} {tenant.tenant_id}$name$"
    execute(server.database_url, f"{rename} where tenant_id = '{tenant.tenant_id}'")
    evil = join(http, server, name=f"{EVIL[:70]} {uuid.uuid4().hex[:8]}")
    mode = f"{tenant.tenant_id.hex}/test"
    paths = [
        f"/console/payments/{mode}/{payment['id']}", f"/console/objects/{mode}/{customer['id']}",
        f"/console/endpoints/{mode}/{endpoint['id']}", f"/console/tenants/{mode}", "/console/tenants",
        "/console/audit",
        f"/console/?q={quote(EVIL)}", f"/console/tenants/{mode}?q={quote(EVIL)}",
        f"/console/tenants/{mode}?q={quote('amount:100')}", f"/console/{quote(EVIL)}",
    ]  # fmt: skip
    for path in paths:
        shown = get(http, path, evil).text
        assert "alert(1)" in shown or path.startswith("/console/%3C"), path
        elements = Elements()
        elements.feed(shown)
        assert elements.active == [], path


class Elements(HTMLParser):
    """Collects what a browser would carry out: scripts that are not ours, pictures, handlers of events."""

    def __init__(self) -> None:
        super().__init__()
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element."""
        own = tag == "script" and dict(attrs).get("src") in OWN_SCRIPTS
        if (tag in ("script", "img", "iframe", "object") and not own) or any(
            name[:2] == "on" for name, _ in attrs
        ):
            self.active.append(f"{tag} {attrs}")


def test_a_payment_is_shown_below_its_own_tenant_and_mode_only(
    http: httpx.Client, server: RunningServer, ada: SignedIn, tenant: Tenant, payment: dict[str, str]
) -> None:
    other = make_tenant(server.database_url)
    assert get(http, page_of(tenant, payment), ada).status_code == 200
    for path in (
        page_of(other, payment),
        page_of(tenant, payment).replace("/test/", "/live/"),
        page_of(tenant, {"id": "pi_" + "0" * 32}),
        page_of(tenant, {"id": payment["latest_charge"]}),
        f"/console/payments/{'g' * 32}/test/{payment['id']}",
        f"/console/payments/{tenant.tenant_id}/test/{payment['id']}",
    ):
        assert get(http, path, ada).status_code == 404, path
