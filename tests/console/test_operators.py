"""What operators find and do, and what is noted of it."""

import re
import time
from urllib.parse import quote

import asyncpg
import httpx
import pytest

from tests.support.api import open_client
from tests.support.operators import (
    SignedIn,
    act,
    get,
    hidden,
    join,
    page_of,
    post,
)
from tests.support.servers import RunningServer, SpawnServer, execute, fetch
from tests.support.tenants import Tenant, make_tenant


def test_an_operator_captures_and_refunds_and_the_note_is_in_the_same_commit(
    http: httpx.Client, server: RunningServer, ada: SignedIn, tenant: Tenant, payment: dict[str, str]
) -> None:
    page = page_of(tenant, payment)
    assert act(http, page, ada, "capture", amount="20.00").headers["location"] == page
    assert act(http, page, ada, "refund", amount="5.00").status_code == 303
    shown = get(http, page, ada).text
    assert shown.count(f"by {ada.name}") == 2
    noted = fetch(
        server.database_url,
        "select action, operator_action.xmin::text = event.xmin::text as is_same, "
        "operator_action.tenant_id = event.tenant_id as is_of_the_tenant from operator_action "
        f"join event using (request_id) where subject = '{payment['id']}'",
    )
    assert {row["action"] for row in noted} == {"payment.capture", "payment.refund"}
    assert all(row["is_same"] and row["is_of_the_tenant"] for row in noted)
    with open_client(server.url, tenant.secret) as api:
        found = api.get(f"/v1/payment_intents/{payment['id']}", params={"expand[]": "latest_charge"}).json()
    assert (found["amount_received"], found["latest_charge"]["amount_refunded"]) == (2000, 500)


def test_a_form_that_is_sent_twice_is_carried_out_once(
    http: httpx.Client, server: RunningServer, ada: SignedIn, tenant: Tenant, payment: dict[str, str]
) -> None:
    page = page_of(tenant, payment)
    act(http, page, ada, "capture")
    shown = get(http, page, ada).text
    fields = {"token": hidden(shown, "token"), "key": hidden(shown, "key"), "amount": "1.00"}
    for _ in range(3):
        assert post(http, f"{page}/refund", ada, **fields).status_code == 303
    assert post(http, f"{page}/refund", ada, **{**fields, "amount": "2.00"}).status_code == 400
    with open_client(server.url, tenant.secret) as api:
        refunds = api.get("/v1/refunds", params={"payment_intent": payment["id"]}).json()["data"]
    assert [refund["amount"] for refund in refunds] == [100]


def test_what_is_refused_is_told_and_noted(
    http: httpx.Client, server: RunningServer, ada: SignedIn, tenant: Tenant, payment: dict[str, str]
) -> None:
    page = page_of(tenant, payment)
    for action, amount, status in (
        ("capture", "26.00", 400), ("capture", "x", 400), ("refund", "", 400),
        ("nothing", "", 404), ("x" * 200, "", 404),
    ):  # fmt: skip
        assert act(http, page, ada, action, amount=amount).status_code == status, (action, amount)
    query = f"select action from operator_action where subject = '{payment['id']}' order by action_id"
    actions = [row["action"] for row in fetch(server.database_url, query)]
    assert actions == ["capture.refused", "capture.refused", "refund.refused", "nothing.refused"]


def test_who_may_only_look_changes_nothing(
    http: httpx.Client, server: RunningServer, ada: SignedIn, tenant: Tenant, payment: dict[str, str]
) -> None:
    viewer = join(http, server, role="view")
    page = page_of(tenant, payment)
    shown = get(http, page, viewer).text
    assert "/capture" not in shown
    key = hidden(get(http, page, ada).text, "key")
    refused = post(http, f"{page}/capture", viewer, token=hidden(shown, "token"), key=key)
    assert refused.status_code == 403
    assert "requires_capture" in get(http, page, viewer).text


def test_the_notes_of_what_operators_did_cannot_be_changed(server: RunningServer, ada: SignedIn) -> None:
    for change in ("update operator_action set operator = 'x'", "delete from operator_action"):
        with pytest.raises(asyncpg.PostgresError):
            execute(server.database_url, change)


def test_an_object_is_found_by_any_identifier_of_its_payment(
    http: httpx.Client, server: RunningServer, ada: SignedIn, tenant: Tenant
) -> None:
    with open_client(server.url, tenant.secret) as api:
        made = api.post("/v1/payment_intents", data={
            "amount": "300", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true",
            "payment_method_types[]": "card",
        }).json()  # fmt: skip
        refund = api.post("/v1/refunds", data={"payment_intent": made["id"], "amount": "10"}).json()
    for identifier in (made["id"], made["latest_charge"], refund["id"]):
        found = get(http, f"/console/?q={identifier}", ada)
        assert found.headers["location"] == page_of(tenant, made), identifier
    assert get(http, f"/console/?q={made['payment_method']}", ada).status_code == 200
    wrong = "re_" + made["id"][-32:]
    for text in (wrong, "nothing", "pi_" + "0" * 32, "ü", "%00"):
        assert get(http, f"/console/?q={text}", ada).status_code == 404, text


def test_payments_are_found_by_customer_amount_and_card_within_a_tenant(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    tenant = make_tenant(server.database_url)
    with open_client(server.url, tenant.secret) as api:
        customer = api.post("/v1/customers").json()["id"]
        paid = {"currency": "usd", "confirm": "true", "payment_method_types[]": "card"}
        mine, other = (
            api.post("/v1/payment_intents", data={**paid, **more}).json()["id"]
            for more in (
                {"amount": "1234", "payment_method": "pm_card_mastercard", "customer": customer},
                {"amount": "99", "payment_method": "pm_card_visa"},
            )
        )
    page = f"/console/tenants/{tenant.tenant_id.hex}/test"
    assert get(http, f"/console/?q={customer}", ada).headers["location"] == f"{page}?q={customer}"
    for typed in (customer, "12.34", "4444", 'status:"succeeded" and amount:1234'):
        shown = get(http, f"{page}?q={quote(typed)}", ada).text
        assert mine in shown, typed
        assert other not in shown, typed
    for typed in ("amount::", "x" * 2000, "nothing:1"):
        assert get(http, f"{page}?q={quote(typed)}", ada).status_code == 400, typed


def test_accounts_are_shown_as_of_a_time_with_their_statements_and_the_books_are_verified(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    tenant = make_tenant(server.database_url)
    with open_client(server.url, tenant.secret) as api:
        made = api.post("/v1/payment_intents", data={
            "amount": "1234", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true",
            "payment_method_types[]": "card",
        }).json()  # fmt: skip
    page = f"/console/tenants/{tenant.tenant_id.hex}/test"
    assert "12.34 USD" in get(http, page, ada).text
    earlier = get(http, f"{page}?at=2020-01-01T00:00", ada)
    assert (earlier.status_code, "12.34 USD" in earlier.text) == (200, False)
    assert get(http, f"{page}?at=yesterday", ada).status_code == 400
    statement = get(http, f"{page}/accounts/usd/pending", ada).text
    assert f"/console/?q={made['latest_charge']}" in statement
    assert get(http, f"{page}/accounts/usd/nothing", ada).status_code == 404
    assert "The books are right" in get(http, f"{page}/verify", ada).text
    # Keys are shown by their last characters only.
    shown = get(http, page.replace("tenants", "keys"), ada).text
    assert tenant.secret[-4:] in shown
    assert tenant.secret not in shown


def test_a_request_is_shown_from_the_request_log_and_missing_where_it_is_off(
    http: httpx.Client, spawn_server: SpawnServer, ada: SignedIn, tenant: Tenant, payment: dict[str, str]
) -> None:
    page = page_of(tenant, payment)
    link = re.search(r'href="(/console/requests/[^"]+)"', get(http, page, ada).text)
    assert link is not None
    assert get(http, link[1], ada).status_code == 404
    logging = spawn_server(environment={"FASTPAY_REQUEST_LOG": "complete"})
    own = make_tenant(logging.database_url)
    key = {"Idempotency-Key": "order 7"}
    with open_client(logging.url, own.secret) as api:
        answers = [api.post("/v1/customers", data={"name": "Ada"}, headers=key) for _ in range(2)]
    first, replay = (answer.headers["request-id"] for answer in answers)
    origin = {"Origin": logging.admin_url}
    with httpx.Client(base_url=logging.admin_url, headers=origin, timeout=60, trust_env=False) as console:
        operator = join(console, logging)
        found = get(console, f"/console/tenants/{own.tenant_id.hex}/test?q={replay}", operator)
        for _ in range(600):
            shown = get(console, found.headers["location"], operator)
            if shown.status_code == 200:
                break
            # It is written beside the path, a moment later.
            time.sleep(0.1)
        assert first in shown.text
        assert "POST /v1/customers" in shown.text
