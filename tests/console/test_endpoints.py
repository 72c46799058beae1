"""Webhook endpoints in the console: the same commands and checks as in the API."""

import uuid

import httpx
import pytest

from tests.console.test_attacks import EVIL, Elements
from tests.support.api import open_client
from tests.support.operators import SignedIn, fields_of, get, hidden, join, notes_of, post, secret_in, send
from tests.support.servers import RunningServer, fetch
from tests.support.tenants import Tenant

FORM = {
    "url": "https://example.com/hooks",
    "description": "the shop",
    "events": "charge.*\r\nrefund.created",
    "order": "strict",
    "payload": "thin",
    "rate": "7",
    "headers": "X-Token: s3cret-value\r\n",
}


def create(http: httpx.Client, tenant: Tenant, operator: SignedIn, **fields: str) -> tuple[str, str]:
    """Create an endpoint, and return its page and its secret."""
    page = f"/console/endpoints/{tenant.tenant_id.hex}/test"
    answer = send(http, page, f"{page}/create", operator, **{**FORM, **fields})
    secret = secret_in(answer)
    found = answer.text.partition(f'href="{page}/')[2].partition('"')[0]
    return f"{page}/{found}", secret


def test_an_endpoint_is_created_as_the_api_shows_it_and_its_secret_is_that_of_the_api(
    http: httpx.Client, server: RunningServer, ada: SignedIn, other: Tenant
) -> None:
    page, secret = create(http, other, ada)
    identifier = page.rpartition("/")[2]
    with open_client(server.url, other.secret) as api:
        shown = api.get(f"/v1/webhook_endpoints/{identifier}").json()
    assert secret.startswith("whsec_")
    assert (shown["url"], shown["description"], shown["enabled_events"], shown["status"]) == (
        FORM["url"], FORM["description"], ["charge.*", "refund.created"], "enabled",
    )  # fmt: skip
    settings = shown["fastpay"]
    assert (settings["order"], settings["payload"], settings["requests_per_second"]) == ("strict", "thin", 7)
    assert settings["headers"] == {"X-Token": "s3cret-value"}
    # Neither a header's value nor the secret is on any page.
    text = get(http, page, ada).text
    assert "X-Token" in text
    assert "s3cret-value" not in text
    assert "whsec_" not in text
    assert identifier in get(http, page.rpartition("/")[0], ada).text


def test_an_endpoint_is_changed_disabled_enabled_and_deleted_and_each_note_is_in_the_same_commit(
    http: httpx.Client, server: RunningServer, ada: SignedIn, other: Tenant
) -> None:
    page, secret = create(http, other, ada)
    identifier = page.rpartition("/")[2]
    changed = {**FORM, "url": "https://example.com/new", "events": "*", "rate": "", "headers": ""}
    assert send(http, page, f"{page}/update", ada, **changed).headers["location"] == page
    rotated = secret_in(send(http, page, f"{page}/rotate", ada, hours="1"))
    assert rotated != secret
    assert "signs with 2 secrets" in get(http, page, ada).text
    for action in ("ping", "disable", "enable"):
        assert send(http, page, f"{page}/{action}", ada).headers["location"] == page, action
        assert ("disabled" in get(http, page, ada).text) is (action == "disable")
    with open_client(server.url, other.secret) as api:
        shown = api.get(f"/v1/webhook_endpoints/{identifier}").json()
        assert (shown["url"], shown["enabled_events"]) == ("https://example.com/new", ["*"])
        # What a form does not show, it does not change.
        assert shown["fastpay"]["headers"] == {"X-Token": "s3cret-value"}
        assert shown["fastpay"]["requests_per_second"] is None
        without = {**changed, "without_headers": "1"}
        assert send(http, page, f"{page}/update", ada, **without).status_code == 303
        assert api.get(f"/v1/webhook_endpoints/{identifier}").json()["fastpay"]["headers"] == {}
        assert send(http, page, f"{page}/delete", ada).headers["location"] == page.rpartition("/")[0]
        assert api.get(f"/v1/webhook_endpoints/{identifier}").status_code == 404
    assert get(http, page, ada).status_code == 404
    noted = fetch(
        server.database_url,
        "select action, operator_action.xmin::text = event.xmin::text as is_same from operator_action "
        f"join event using (request_id) where subject = '{identifier}' order by action_id",
    )
    actions = ["updated", "secret_rotated", "pinged", "disabled", "enabled", "updated", "deleted"]
    assert [row["action"] for row in noted] == [f"endpoint.{action}" for action in actions]
    assert all(row["is_same"] for row in noted)


def test_a_form_that_is_sent_twice_makes_one_endpoint_and_shows_the_same_secret(
    http: httpx.Client, server: RunningServer, ada: SignedIn, other: Tenant
) -> None:
    page = f"/console/endpoints/{other.tenant_id.hex}/test"
    form = {**fields_of(http, page, ada), **FORM}
    first, second = (secret_in(post(http, f"{page}/create", ada, **form)) for _ in range(2))
    assert first == second
    assert post(http, f"{page}/create", ada, **{**form, "url": "https://example.com/x"}).status_code == 400
    with open_client(server.url, other.secret) as api:
        assert len(api.get("/v1/webhook_endpoints").json()["data"]) == 1


def test_a_change_of_an_endpoint_that_has_changed_meanwhile_is_refused(
    http: httpx.Client, server: RunningServer, ada: SignedIn, other: Tenant
) -> None:
    page, _ = create(http, other, ada)
    old = {**fields_of(http, page, ada), **FORM, "description": "mine"}
    with open_client(server.url, other.secret) as api:
        path = f"/v1/webhook_endpoints/{page.rpartition('/')[2]}"
        api.post(path, data={"description": "theirs"}).raise_for_status()
        refused = post(http, f"{page}/update", ada, **old)
        assert (refused.status_code, "changed since" in refused.text) == (400, True)
        assert api.get(path).json()["description"] == "theirs"
        # A form that did it itself is not out of date.
        new = {**fields_of(http, page, ada), **FORM, "description": "mine"}
        for _ in range(2):
            assert post(http, f"{page}/update", ada, **new).status_code == 303
        assert api.get(path).json()["description"] == "mine"


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("create", {"url": "ftp://example.com"}),
        ("create", {"url": ""}),
        ("create", {"url": "https://user:pass@example.com/"}),
        ("create", {"events": ""}),
        ("create", {"events": "Not-a-type"}),
        ("create", {"order": "random"}),
        ("create", {"rate": "0"}),
        ("create", {"headers": "no colon"}),
        ("create", {"headers": "Content-Length: 3"}),
        ("create", {"headers": "a[b]: c"}),
        ("create", {"start": "99999"}),
        ("rotate", {"hours": "25"}),
        ("rotate", {"hours": "x"}),
        ("replay", {}),
        ("replay", {"from": "0"}),
        ("replay", {"from": "x"}),
        ("replay", {"from": "1", "to": "99999"}),
        ("replay", {"event": "evt_" + "0" * 32}),
        ("replay", {"event": "x"}),
        ("replay", {"from": "1", "types": "Not-a-type"}),
    ],
)
def test_what_the_api_refuses_is_refused_in_the_same_words(
    http: httpx.Client, ada: SignedIn, tenant: Tenant, action: str, fields: dict[str, str]
) -> None:
    if action == "create":
        page, fields = f"/console/endpoints/{tenant.tenant_id.hex}/test", {**FORM, **fields}
    else:
        page, _ = create(http, tenant, ada)
    refused = send(http, page, f"{page}/{action}", ada, **fields)
    assert refused.status_code in (400, 404), refused.text
    assert "went wrong" not in refused.text


def test_no_form_of_another_page_of_a_lower_role_or_of_another_tenant_changes_an_endpoint(
    http: httpx.Client, server: RunningServer, ada: SignedIn, other: Tenant, tenant: Tenant
) -> None:
    page, _ = create(http, other, ada)
    identifier, list_page = page.rpartition("/")[2], page.rpartition("/")[0]
    bob, eve = join(http, server, role="operate"), join(http, server, role="view")
    own = fields_of(http, page, ada)
    forms = {"update": FORM, "rotate": {}, "delete": {}, "disable": {}, "ping": {}, "replay": {"from": "1"}}
    for action, fields in forms.items():
        path, sent = f"{page}/{action}", {**own, **fields}
        evil = {"Cookie": ada.cookie, "Origin": "http://evil.example"}
        assert http.post(path, data=sent, headers=evil).status_code == 403, action
        assert post(http, path, ada, **{**sent, "token": "0" * 64}).status_code == 403, action
        for who in (bob, eve):
            if who is bob and action in ("disable", "ping", "replay"):
                continue
            token = hidden(get(http, "/console/", who).text, "token")
            assert post(http, path, who, **{**sent, "token": token}).status_code == 403, action
        for place in (f"{tenant.tenant_id.hex}/test", f"{other.tenant_id.hex}/live", f"{'0' * 32}/test"):
            strange = f"/console/endpoints/{place}/{identifier}/{action}"
            assert post(http, strange, ada, **{**sent, "key": uuid.uuid4().hex}).status_code in (400, 404)
    token = hidden(get(http, "/console/", bob).text, "token")
    assert post(http, f"{list_page}/create", bob, **{**own, **FORM, "token": token}).status_code == 403
    assert get(http, page, eve).text.count('<form class="search"') == 1
    assert "/rotate" not in get(http, page, bob).text
    assert "/replay" in get(http, page, bob).text
    with open_client(server.url, other.secret) as api:
        shown = api.get(f"/v1/webhook_endpoints/{identifier}").json()
    assert (shown["status"], shown["url"]) == ("enabled", FORM["url"])
    assert [action for action, _ in notes_of(server, identifier) if "refused" not in action] == []


def test_what_is_typed_is_shown_as_text(http: httpx.Client, ada: SignedIn, other: Tenant) -> None:
    base = f"/console/tenants/{other.tenant_id.hex}/test"
    settings = base.replace("tenants", "settings")
    name = f"{EVIL[:50]} {uuid.uuid4()}"
    assert send(http, settings, f"{base}/rename", ada, name=name).status_code == 303
    page, _ = create(http, other, ada, description=EVIL, url="https://example.com/<script>alert(1)</script>")
    refused = send(http, settings, f"{base}/rules", ada, fee_percent=EVIL)
    texts = [get(http, path, ada).text for path in (
        page, page.rpartition("/")[0], settings, base, settings.replace("settings", "keys"),
        "/console/tenants", f"{page}?event=%3Cscript%3Ealert(1)%3C/script%3E",
    )]  # fmt: skip
    for text in (*texts, refused.text):
        elements = Elements()
        elements.feed(text)
        assert elements.active == []
    assert all("alert(1)" in text for text in texts)
