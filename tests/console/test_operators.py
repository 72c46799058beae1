"""What operators find and do, and what is noted of it."""

import re
import time
import uuid
from urllib.parse import quote

import asyncpg
import httpx
import pytest

from tests.support.api import open_client
from tests.support.operators import (
    SignedIn,
    act,
    fields_of,
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
    assert {row["action"] for row in noted} == {"payment.captured", "payment.refunded"}
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
    assert actions == [f"payment.{action}_refused" for action in ("capture", "capture", "refund", "nothing")]


def test_what_operators_did_and_what_they_were_refused_is_on_the_timeline_and_in_the_audit(
    http: httpx.Client, ada: SignedIn, tenant: Tenant, payment: dict[str, str]
) -> None:
    page = page_of(tenant, payment)
    assert act(http, page, ada, "capture", amount="26.00").status_code == 400
    assert act(http, page, ada, "capture").status_code == 303
    shown = get(http, page, ada).text
    entries = [entry for entry in shown.split("<li>")[1:] if f"by {ada.name}" in entry]
    refused, done = entries
    assert "<code>payment.capture_refused</code>" in refused
    assert "you tried to capture 2600" in refused
    assert "<code>payment.captured</code>" in done
    assert "requires_capture" in done
    audit = get(http, f"/console/audit?operator={quote(ada.name)}&action=payment.capture_refused", ada).text
    assert re.search(r'<td class="detail">[^<]+</td>', audit) is not None, audit


def test_the_timeline_has_the_balances_that_the_statements_have(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    tenant = make_tenant(server.database_url)
    paid = {"amount": "5000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true",
            "payment_method_types[]": "card"}  # fmt: skip
    with open_client(server.url, tenant.secret) as api:
        first, second = (api.post("/v1/payment_intents", data=paid).json() for _ in range(2))
        # The payments take turns, so that neither of them alone makes the balances.
        for amount in ("700", "300"):
            for made in (first, second):
                refund = {"payment_intent": made["id"], "amount": amount}
                api.post("/v1/refunds", data=refund).raise_for_status()
    page = f"/console/tenants/{tenant.tenant_id.hex}/test/accounts/usd"
    after = r'/accounts/usd/(\w+)">\w+</a> <span class="after">([^<]+)</span>'
    shown = [re.findall(after, get(http, page_of(tenant, made), ada).text) for made in (first, second)]
    for code in ("processor", "pending"):
        found = [[balance for name, balance in one if name == code] for one in shown]
        balance = r'<td class="amount">[^<]+</td><td class="amount">([^<]+)</td>'
        lines = re.findall(balance, get(http, f"{page}/{code}", ada).text)[::-1]
        assert [len(one) for one in found] == [3, 3]
        assert found[0] == [lines[0], lines[2], lines[4]]
        assert found[1] == [lines[1], lines[3], lines[5]]


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
        assert found.headers.get("location") == page_of(tenant, made), (identifier, found.text)
    mode = f"{tenant.tenant_id.hex}/test"
    with open_client(server.url, tenant.secret) as api:
        posting = api.get("/v1/balance_transactions", params={"source": made["latest_charge"]}).json()
        customer = api.post("/v1/customers").json()["id"]
        event = api.get("/v1/events", params={"type": "charge.refunded"}).json()["data"][0]
    assert event["id"] in get(http, page_of(tenant, made), ada).text
    for identifier in (event["id"], posting["data"][0]["id"]):
        found = get(http, f"/console/?q={identifier}", ada)
        assert found.headers.get("location") == page_of(tenant, made), (identifier, found.text)
    key_id = fetch(server.database_url, "select key_id from api_key where not livemode and kind = 'secret' "
                   f"and tenant_id = '{tenant.tenant_id}' order by created_at")[0]["key_id"]  # fmt: skip
    method = made["payment_method"]
    for identifier, path in (
        (method, f"objects/{mode}/{method}"),
        (customer, f"tenants/{mode}?q={customer}"),
        (str(key_id), f"keys/{mode}/{key_id}"),
        (tenant.tenant_id.hex, f"settings/{mode}"),
    ):
        found = get(http, f"/console/?q={identifier}", ada)
        assert found.headers["location"] == f"/console/{path}", identifier
        assert get(http, found.headers["location"], ada).status_code == 200, identifier
    # An object is shown below its own tenant, and a payment as a payment only.
    other = make_tenant(server.database_url).tenant_id.hex
    for path in (f"{other}/test/{method}", f"{mode}/{made['id']}", f"{mode}/pm_{'0' * 32}", f"{mode}/x"):
        assert get(http, f"/console/objects/{path}", ada).status_code == 404, path
    wrong, no_event = "re_" + made["id"][-32:], event["id"][:-1] + "01"[event["id"][-1] == "0"]
    for text in (wrong, no_event, "nothing", "pi_" + "0" * 32, "ü", "%00"):
        assert get(http, f"/console/?q={text}", ada).status_code == 404, text


def test_payments_are_found_by_customer_email_amount_and_card_within_a_tenant_and_in_all(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    tenant, stranger = make_tenant(server.database_url), make_tenant(server.database_url)
    email = f"{uuid.uuid4().hex}@example.com"
    paid = {"currency": "usd", "confirm": "true", "payment_method_types[]": "card"}
    with open_client(server.url, tenant.secret) as api:
        customer = api.post("/v1/customers", data={"email": email}).json()["id"]
        mine, other, yen = (
            api.post("/v1/payment_intents", data={**paid, **more}).json()["id"]
            for more in (
                {"amount": "1234", "payment_method": "pm_card_mastercard", "customer": customer},
                {"amount": "99", "payment_method": "pm_card_visa"},
                {"amount": "777000", "payment_method": "pm_card_visa", "currency": "jpy"},
            )
        )
    with open_client(server.url, stranger.live_secret) as api:
        live = api.post("/v1/payment_intents", data={"amount": "1234", "currency": "usd"}).json()["id"]
    page = f"/console/tenants/{tenant.tenant_id.hex}/test"
    assert get(http, f"/console/?q={customer}", ada).headers["location"] == f"{page}?q={customer}"
    query = 'status:"succeeded" and amount:1234'
    for typed in (customer, email, "12.34", "12.34 usd", "4444", query):
        shown = get(http, f"{page}?q={quote(typed)}", ada).text
        assert mine in shown, typed
        assert other not in shown, typed
    for typed in (email, "12.34", "12.34 USD", "4444", query):
        shown = get(http, f"/console/?q={quote(typed)}", ada).text
        assert f"/console/payments/{tenant.tenant_id.hex}/test/{mine}" in shown, typed
        assert other not in shown, typed
        is_by_amount = typed.startswith("12.34")
        assert (f"/console/payments/{stranger.tenant_id.hex}/live/{live}" in shown) is is_by_amount, typed
    # An amount has the decimals of its currency.
    assert yen in get(http, f"/console/?q={quote('777000 jpy')}", ada).text
    assert get(http, f"/console/?q={quote('7770.00 jpy')}", ada).status_code == 400
    assert "No payment matches" in get(http, f"/console/?q={quote('nobody@example.com')}", ada).text
    for typed in ("amount::", "x" * 2000, "nothing:1"):
        assert get(http, f"{page}?q={quote(typed)}", ada).status_code == 400, typed
    for typed in ("amount::", "nothing:1"):
        assert get(http, f"/console/?q={quote(typed)}", ada).status_code == 400, typed


def test_a_refund_from_a_page_that_is_out_of_date_is_refused(
    http: httpx.Client, server: RunningServer, ada: SignedIn, tenant: Tenant, payment: dict[str, str]
) -> None:
    page = page_of(tenant, payment)
    assert act(http, page, ada, "capture").status_code == 303
    old = {**fields_of(http, page, ada), "amount": "5.00"}
    with open_client(server.url, tenant.secret) as api:
        api.post("/v1/refunds", data={"payment_intent": payment["id"], "amount": "500"}).raise_for_status()
        refused = post(http, f"{page}/refund", ada, **old)
        assert (refused.status_code, "changed since" in refused.text) == (400, True)
        new = {**fields_of(http, page, ada), "amount": "5.00"}
        for _ in range(2):
            assert post(http, f"{page}/refund", ada, **new).status_code == 303
        refunds = api.get("/v1/refunds", params={"payment_intent": payment["id"]}).json()["data"]
    assert [refund["amount"] for refund in refunds] == [500, 500]
    assert "15.00 USD" in get(http, page, ada).text


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


def test_requests_are_on_the_timeline_with_replays_and_refusals_and_found_without_their_tenant(
    http: httpx.Client, spawn_server: SpawnServer, ada: SignedIn, tenant: Tenant, payment: dict[str, str]
) -> None:
    # Here the request log is off: the timeline names requests, and leads to none.
    assert "/console/requests/" not in get(http, page_of(tenant, payment), ada).text
    unlogged = f"/console/requests/{tenant.tenant_id.hex}/test/req_{'0' * 24}"
    assert get(http, unlogged, ada).status_code == 404
    assert get(http, f"/console/?q=req_{'0' * 24}", ada).status_code == 404
    logging = spawn_server(environment={"FASTPAY_REQUEST_LOG": "complete"})
    own = make_tenant(logging.database_url)
    key = {"Idempotency-Key": "order 7"}
    data = {"amount": "700", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true",
            "capture_method": "manual", "payment_method_types[]": "card"}  # fmt: skip
    with open_client(logging.url, own.secret) as api:
        answers = [api.post("/v1/payment_intents", data=data, headers=key) for _ in range(2)]
        made = answers[0].json()
        path = f"/v1/payment_intents/{made['id']}"
        refused = [
            api.post(f"{path}/capture", data={"amount_to_capture": "701"}),
            api.post(f"{path}/confirm"),
            # These name the payment, and its charge, in their parameters.
            api.post("/v1/refunds", data={"payment_intent": made["id"], "amount": "701"}),
            api.post("/v1/refunds", data={"charge": made["latest_charge"], "amount": "701"}),
        ]
        api.get(path)
    assert {answer.status_code for answer in refused} == {400}
    first, replay = (answer.headers["request-id"] for answer in answers)
    origin = {"Origin": logging.admin_url}
    with open_client(logging.admin_url, headers=origin) as console:
        operator = join(console, logging)
        page = page_of(own, made)
        for _ in range(600):
            shown = get(console, page, operator).text
            # They are written beside the path, a moment later.
            if shown.count("/console/requests/") == 6:
                break
            time.sleep(0.1)
        assert re.findall(r"/console/requests/[^\"]+/(req_[0-9a-f]+)", shown) == [
            first, replay, *(answer.headers["request-id"] for answer in refused),
        ]  # fmt: skip
        assert f"is a replay of <code>{first}</code>" in shown
        for answer in refused:
            assert answer.json()["error"]["message"].split("'")[0][:20] in shown
        found = get(console, f"/console/?q={replay}", operator)
        assert found.headers["location"] == f"/console/requests/{own.tenant_id.hex}/test/{replay}"
        of_request = get(console, found.headers["location"], operator).text
        assert first in of_request
        assert "POST /v1/payment_intents" in of_request
        # And back to the payment.
        assert f"/console/?q={made['id']}" in of_request
