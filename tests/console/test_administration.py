"""What administrators do: tenants, API keys and signing secrets, each noted in the commit that does it."""

import re
import time
import uuid
from urllib.parse import quote

import httpx

from tests.support.api import open_client
from tests.support.operators import SignedIn, fields_of, get, hidden, join, notes_of, post, secret_in, send
from tests.support.servers import RunningServer, execute, fetch
from tests.support.tenants import Tenant

RULES = {
    "fee_percent": "2.9",
    "fee_fixed": "30",
    "dispute_fee": "1500",
    "amount_minimums": "0.50 USD\r\n50 JPY\r\n",
    "funds_delay_days": "7",
    "payout_interval": "weekly",
    "refunds_may_overdraw": "off",
}


def test_a_tenant_is_created_renamed_and_given_rules_and_its_payments_follow_them(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    name = f"shop {uuid.uuid4()}"
    created = send(http, "/console/tenants", "/console/tenants/create", ada, name=name)
    page = created.headers["location"]
    tenant_id = page.split("/")[3]
    rules = page.replace("/settings/", "/tenants/") + "/rules"
    renamed = page.replace("/settings/", "/tenants/") + "/rename"
    assert send(http, page, renamed, ada, name=f"{name} 2").headers["location"] == page
    assert send(http, page, rules, ada, **RULES).headers["location"] == page
    shown = get(http, page, ada).text
    assert f"{name} 2" in shown
    assert 'value="2.90"' in shown
    assert "50 JPY\n0.50 USD" in shown
    assert notes_of(server, tenant_id) == [
        ("tenant.created", name),
        ("tenant.renamed", f"{name} to {name} 2"),
        (
            "tenant.rules_set",
            "test: fee_percent: 0.00 to 2.90; fee_fixed: 0 to 30; dispute_fee: 0 to 1500; "
            "refunds_may_overdraw: on to off; funds_delay_days: 2 to 7; payout_interval: manual to weekly; "
            "amount_minimums: none to 50 JPY, 0.50 USD",
        ),
    ]
    # The note and what it is about are in one commit.
    same = fetch(
        server.database_url,
        "select count(*) as count from operator_action "
        "join book on book.xmin::text = operator_action.xmin::text "
        f"where subject = '{tenant_id}' and book.tenant_id = '{tenant_id}' and not livemode "
        "and action = 'tenant.rules_set'",
    )
    assert same[0]["count"] == 1
    key = secret_in(
        send(http, f"/console/keys/{tenant_id}/test", f"/console/keys/{tenant_id}/test/create", ada)
    )
    with open_client(server.url, key) as api:
        paid = {"currency": "usd", "payment_method": "pm_card_visa", "confirm": "true",
                "payment_method_types[]": "card"}  # fmt: skip
        assert api.post("/v1/payment_intents", data={**paid, "amount": "49"}).status_code == 400
        made = api.post("/v1/payment_intents", data={**paid, "amount": "1000"}).json()
        fee = api.get("/v1/balance_transactions", params={"source": made["latest_charge"]}).json()
        assert fee["data"][0]["fee"] == 59


def test_rules_and_names_that_cannot_be_are_refused_and_change_nothing(
    http: httpx.Client, ada: SignedIn, other: Tenant
) -> None:
    base = f"/console/tenants/{other.tenant_id.hex}/test"
    page = base.replace("/tenants/", "/settings/")
    seen = fields_of(http, page, ada)["seen"]
    for name, values in {
        "fee_percent": ("", "x", "-1", "100.01", "1.234", "٣"),
        "fee_fixed": ("", "1.5", "-1", "100000000"),
        "dispute_fee": ("x", "100000000"),
        "funds_delay_days": ("366", "", "1e2"),
        "payout_interval": ("", "hourly"),
        "amount_minimums": ("0.50", "1 QQQ", "0.501 USD", "USD 1", "0 USD"),
    }.items():
        for value in values:
            refused = send(http, page, f"{base}/rules", ada, **{**RULES, name: value})
            assert refused.status_code == 400, (name, value)
    assert send(http, page, f"{base}/rename", ada, name="").status_code == 400
    assert send(http, page, f"{base}/rename", ada, name="x" * 101).status_code == 400
    assert send(http, page, f"{base}/rename", ada, name="a\x00b").status_code == 400
    taken = f"taken {uuid.uuid4()}"
    assert send(http, "/console/tenants", "/console/tenants/create", ada, name=taken).status_code == 303
    assert send(http, "/console/tenants", "/console/tenants/create", ada, name=taken).status_code == 400
    assert send(http, page, f"{base}/rename", ada, name=taken).status_code == 400
    assert fields_of(http, page, ada)["seen"] == seen


def test_a_page_that_is_out_of_date_changes_nothing(
    http: httpx.Client, server: RunningServer, ada: SignedIn, other: Tenant
) -> None:
    base = f"/console/tenants/{other.tenant_id.hex}/test"
    page = base.replace("/tenants/", "/settings/")
    old = fields_of(http, page, ada)
    execute(server.database_url, f"update book set fee_fixed = 7 where tenant_id = '{other.tenant_id}'")
    for action, fields in (("rules", RULES), ("rename", {"name": f"new {uuid.uuid4()}"})):
        refused = post(http, f"{base}/{action}", ada, **{**old, **fields})
        assert (refused.status_code, "changed since" in refused.text) == (400, True)
    # Without what it has seen, a form is out of date as well.
    without = {**fields_of(http, page, ada), **RULES, "seen": ""}
    assert post(http, f"{base}/rules", ada, **without).status_code == 400
    assert 'value="7"' in get(http, page, ada).text


def test_a_key_is_shown_once_rolled_with_an_overlap_and_revoked(
    http: httpx.Client, server: RunningServer, ada: SignedIn, other: Tenant
) -> None:
    keys = f"/console/keys/{other.tenant_id.hex}/live"
    form = {**fields_of(http, keys, ada), "kind": "secret"}
    made = post(http, f"{keys}/create", ada, **form)
    key, page = secret_in(made), re.search(r'href="(/console/keys/[^"]+/[0-9a-f-]{36})"', made.text)
    assert page is not None
    assert key.startswith("sk_live_")
    # The form is used up, and the key is shown by nothing else.
    again = post(http, f"{keys}/create", ada, **form)
    assert (again.status_code, "done" in again.text, key in again.text) == (400, True, False)
    assert key not in get(http, page[1], ada).text
    assert get(http, keys, ada).text.count("/live/") - get(http, keys, ada).text.count("/live/create") == 3
    rolled = send(http, page[1], f"{page[1]}/roll", ada, hours="1")
    newer = secret_in(rolled)
    for works in (key, newer):
        with open_client(server.url, works) as api:
            assert api.get("/v1/balance").status_code == 200
    assert "expiring" in get(http, page[1], ada).text
    assert send(http, page[1], f"{page[1]}/revoke", ada).status_code == 303
    # The page of a key that is revoked has no forms; one that was opened before still has.
    assert send(http, keys, f"{page[1]}/revoke", ada).status_code == 400
    assert "revoked" in get(http, page[1], ada).text
    deadline = time.monotonic() + 60
    with open_client(server.url, key) as api:
        while api.get("/v1/balance").status_code != 401:
            assert time.monotonic() < deadline
    key_id = page[1].rpartition("/")[2]
    tenant = f"tenant {other.tenant_id.hex} live"
    *done, (refused, reason) = notes_of(server, key_id)
    assert done == [("key.created", f"{tenant}: secret key"), ("key.revoked", tenant)]
    assert refused == "key.revoke_refused"
    assert reason is not None
    assert reason.startswith("This key was revoked already")
    publishable = secret_in(send(http, keys, f"{keys}/create", ada, kind="publishable"))
    assert publishable.startswith("pk_live_")
    for hours in ("-1", "x", "8761", "1.5", "9" * 40):
        assert send(http, keys, f"{page[1]}/roll", ada, hours=hours).status_code == 400


def test_signing_secrets_are_created_required_rolled_and_removed(
    http: httpx.Client, server: RunningServer, ada: SignedIn, other: Tenant
) -> None:
    keys = f"/console/keys/{other.tenant_id.hex}/test"
    key = secret_in(send(http, keys, f"{keys}/create", ada))
    (found,) = fetch(server.database_url, f"select key_id from api_key where last4 = '{key[-4:]}' "
                     f"and tenant_id = '{other.tenant_id}' order by created_at desc limit 1")  # fmt: skip
    page = f"{keys}/{found['key_id']}"
    assert send(http, page, f"{page}/must-sign", ada).status_code == 400
    first = secret_in(send(http, page, f"{page}/sign", ada))
    second = secret_in(send(http, page, f"{page}/roll-secret", ada, hours="2"))
    assert first.startswith("fpss_")
    assert first != second
    assert send(http, page, f"{page}/must-sign", ada).status_code == 303
    assert send(http, page, f"{page}/remove-secrets", ada).status_code == 400
    assert "every request must be signed" in get(http, page, ada).text
    assert send(http, page, f"{page}/need-not-sign", ada).status_code == 303
    assert send(http, page, f"{page}/remove-secrets", ada).status_code == 303
    tenant = f"tenant {other.tenant_id.hex} test"
    assert [note for note in notes_of(server, str(found["key_id"])) if "refused" not in note[0]] == [
        ("key.created", f"{tenant}: secret key"),
        ("signing_secret.created", tenant),
        ("signing_secret.rolled", f"{tenant}: the older ones for 2:00:00 more"),
        ("key.signatures_required", tenant),
        ("key.signatures_waived", tenant),
        ("signing_secret.removed", f"{tenant}: 2"),
    ]


def every_form(tenant: Tenant, key_id: str) -> dict[str, dict[str, str]]:
    """Return all that administrators can send, by path."""
    mode = f"{tenant.tenant_id.hex}/test"
    key = f"/console/keys/{mode}/{key_id}"
    return {
        "/console/tenants/create": {"name": f"evil {uuid.uuid4()}"},
        f"/console/tenants/{mode}/rename": {"name": f"evil {uuid.uuid4()}"},
        f"/console/tenants/{mode}/rules": RULES,
        f"/console/keys/{mode}/create": {"kind": "secret"},
        **{f"{key}/{action}": {} for action in ("roll", "revoke", "sign", "roll-secret", "remove-secrets",
                                                "must-sign", "need-not-sign")},
    }  # fmt: skip


def first_key(server: RunningServer, tenant: Tenant) -> str:
    """Return the identifier of a secret test key."""
    own = f"tenant_id = '{tenant.tenant_id}' and kind = 'secret' and not livemode"
    return str(fetch(server.database_url, f"select key_id from api_key where {own}")[0]["key_id"])


def state_of(server: RunningServer, tenant: Tenant) -> str:
    """Return all that administrators can change."""
    rows: list[object] = []
    for table in ("tenant", "book", "api_key", "signing_secret"):
        query = f"select * from {table} where tenant_id = '{tenant.tenant_id}' order by 1, 2"
        rows += [tuple(row) for row in fetch(server.database_url, query)]
    rows += [
        tuple(row) for row in fetch(server.database_url, "select name from tenant where name like 'evil%'")
    ]
    return repr(rows)


def test_no_form_of_another_page_or_of_a_lower_role_does_what_administrators_do(
    http: httpx.Client, server: RunningServer, ada: SignedIn, other: Tenant
) -> None:
    bob = join(http, server, role="operate")
    page = f"/console/settings/{other.tenant_id.hex}/test"
    own = fields_of(http, page, ada)
    before = state_of(server, other)
    for path, fields in every_form(other, first_key(server, other)).items():
        sent = {**own, **fields}
        for origin in ("null", "http://evil.example"):
            headers = {"Cookie": ada.cookie, "Origin": origin}
            assert http.post(path, data=sent, headers=headers).status_code == 403, path
        assert post(http, path, ada, **{**sent, "token": "0" * 64}).status_code == 403, path
        assert post(http, path, ada, **{**sent, "key": "x"}).status_code == 404, path
        theirs = {**sent, "token": hidden(get(http, "/console/", bob).text, "token")}
        assert post(http, path, bob, **theirs).status_code == 403, path
        assert http.post(path, data=sent).headers["location"] == "/console/sign-in", path
    assert state_of(server, other) == before
    # Who may not send a form does not see it.
    for seen in (page, page.replace("settings", "keys"), "/console/tenants"):
        assert get(http, seen, bob).text.count("<form") == 1


def test_a_key_is_administered_below_its_own_tenant_and_mode_only(
    http: httpx.Client, server: RunningServer, ada: SignedIn, other: Tenant, tenant: Tenant
) -> None:
    key_id = first_key(server, other)
    before = state_of(server, other)
    for place in (f"{tenant.tenant_id.hex}/test", f"{other.tenant_id.hex}/live", f"{'0' * 32}/test"):
        page = f"/console/keys/{place}/{key_id}"
        assert get(http, page, ada).status_code == 404
        for action in ("roll", "revoke", "sign", "roll-secret", "remove-secrets", "must-sign", "nothing"):
            sent = send(http, "/console/tenants", f"{page}/{action}", ada)
            assert sent.status_code == 404, (place, action)
    for key_id in ("x", "0" * 32, quote("<script>")):
        page = f"/console/keys/{other.tenant_id.hex}/test/{key_id}"
        assert send(http, "/console/tenants", f"{page}/revoke", ada).status_code == 404
    nobody = f"/console/keys/{'0' * 32}/test"
    assert send(http, "/console/tenants", f"{nobody}/create", ada).status_code == 404
    assert get(http, nobody, ada).status_code == 404
    assert get(http, nobody.replace("keys", "settings"), ada).status_code == 404
    assert state_of(server, other) == before
