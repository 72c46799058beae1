"""Every object as it comes from the running server: the published example's keys, the SDK's annotations."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from fastpay.domain.events import TYPES
from tests.conformance import cash
from tests.conformance.connected import passed_on
from tests.conformance.disputes import DISPUTE_STATES, REFUND_STATES, disputes, refunds_that_change
from tests.conformance.payouts import payouts_made
from tests.conformance.shop import Shop, setups_made
from tests.support.api import open_client
from tests.support.description import CHECKED
from tests.support.dialect import deviations, example, missing_keys, violations
from tests.support.servers import RunningServer
from tests.support.tenants import make_tenant

KINDS = {
    "payment_intent", "charge", "refund", "customer", "payment_method", "balance", "balance_transaction",
    "setup_intent", "setup_attempt", "mandate", "token", "confirmation_token", "card", "payout", "dispute",
    "account", "transfer", "transfer_reversal", "application_fee", "fee_refund",
    *cash.KINDS,
}  # fmt: skip
INTENT_STATES = {
    "requires_payment_method", "requires_confirmation", "requires_action", "processing", "requires_capture",
    "succeeded", "canceled",
}  # fmt: skip
SETUP_STATES = INTENT_STATES - {"processing", "requires_capture"}
SHIPPING = {
    "shipping[name]": "Ada", "shipping[phone]": "+41",
    "shipping[address][line1]": "Gasse 1", "shipping[address][city]": "Bern",
}  # fmt: skip
BILLING = {
    "billing_details[name]": "Ada", "billing_details[email]": "ada@example.com",
    "billing_details[address][country]": "CH",
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(server: RunningServer) -> Iterator[Shop]:
    with open_client(server.url, make_tenant(server.database_url).secret, **CHECKED) as http:
        yield Shop(http)


@pytest.fixture(scope="module")
def shown(shop: Shop) -> dict[str, Any]:
    """Objects in every state that there is, by what they are."""
    people = people_and_cards(shop)
    payments = payments_made(shop, people)
    return {
        **people, **payments, **what_follows(shop, payments),
        **setups_made(shop, people),
        **passed_on(shop),
        **disputes(shop),
        **cash.cash_made(shop),
        **refunds_that_change(shop),
    }  # fmt: skip


BANK_ACCOUNT = {
    "bank_account[country]": "US",
    "bank_account[account_number]": "000123456789",
    "bank_account[routing_number]": "110000000",
}


def people_and_cards(shop: Shop) -> dict[str, Any]:
    full = shop.post(
        "/v1/customers",
        {
            "name": "Ada",
            "email": "ada@example.com",
            "phone": "+41",
            "description": "Regular",
            "address[city]": "Bern",
            "preferred_locales[]": "de",
            "metadata[order]": "1",
            "tax_exempt": "exempt",
            **SHIPPING,
        },
    )
    saved = shop.post("/v1/payment_methods/pm_card_visa/attach", {"customer": full["id"]})
    loose = shop.post(
        "/v1/payment_methods", {"type": "card", "card[token]": "tok_amex", "metadata[a]": "1", **BILLING}
    )
    gone = shop.post("/v1/customers")
    older = shop.post("/v1/customers", {"source": "tok_visa"})
    collected = {
        "payment_method_data[type]": "card",
        "payment_method_data[card][token]": "tok_visa",
        **SHIPPING,
    }
    card = {"card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2034"}
    sources = f"/v1/customers/{older['id']}/sources"
    return {
        "customer: full": full,
        "customer: with a source": shop.get(
            f"/v1/customers/{older['id']}", **{"expand[0]": "sources", "expand[1]": "default_source"}
        ),
        "source: new": shop.post(sources, {"source": "tok_amex", "metadata[a]": "1"}),
        "source: asked for": shop.get(f"{sources}/{older['default_source']}"),
        "source: deleted": shop.delete(f"{sources}/{shop.post(sources, {'source': 'tok_visa'})['id']}"),
        "token: new": shop.post("/v1/tokens", {**card, "card[name]": "Ada", "card[address_city]": "Bern"}),
        "token: of a bank account": shop.post("/v1/tokens", BANK_ACCOUNT),
        "token: of a security code": shop.post("/v1/tokens", {"cvc_update[cvc]": "123"}),
        "token: magic": shop.get("/v1/tokens/tok_visa"),
        "confirmation token: new": shop.post("/v1/test_helpers/confirmation_tokens", collected),
        "customer: bare": shop.post("/v1/customers"),
        "customer: deleted": shop.delete(f"/v1/customers/{gone['id']}"),
        "customer: deleted, asked for": shop.get(f"/v1/customers/{gone['id']}"),
        "method: saved": saved,
        "method: of nobody": loose,
        "method: magic": shop.get("/v1/payment_methods/pm_card_visa"),
    }


def payments_made(shop: Shop, people: dict[str, Any]) -> dict[str, Any]:
    paid = shop.pay(
        people["method: saved"]["id"],
        customer=people["customer: full"]["id"],
        description="Order 1",
        receipt_email="ada@example.com",
        statement_descriptor_suffix="ONE",
        transfer_group="G",
        setup_future_usage="off_session",
        metadata__order="1",
    )
    held, released, captured = (shop.pay(capture_method="manual") for _ in range(3))
    over = shop.pay(capture_method="manual", payment_method_options__card__request_overcapture="if_available")
    over = shop.post(f"/v1/payment_intents/{over['id']}/capture", {"amount_to_capture": "2100"})
    canceled = shop.post(f"/v1/payment_intents/{released['id']}/cancel", {"cancellation_reason": "duplicate"})
    captured = shop.post(f"/v1/payment_intents/{captured['id']}/capture", {"amount_to_capture": "1500"})
    refused = shop.pay("pm_card_chargeDeclined", status=402)["error"]
    debited = shop.intent(
        currency="eur",
        confirm="true",
        payment_method_types__0="sepa_debit",
        payment_method_data__type="sepa_debit",
        payment_method_data__sepa_debit__iban="DE89370400440532013000",
        payment_method_data__billing_details__name="Ada",
        payment_method_data__billing_details__email="ada@example.com",
        mandate_data__customer_acceptance__type="offline",
    )
    return {
        "intent: by debit": debited,
        "charge: by debit": shop.charge(debited),
        "method: a magic bank account": shop.get("/v1/payment_methods/pm_success_fr"),
        "method: a bank account": shop.get(f"/v1/payment_methods/{debited['payment_method']}"),
        "intent: new": shop.intent(),
        "intent: cards only": shop.intent(payment_method_types__0="card"),
        "intent: to confirm": shop.intent(payment_method="pm_card_visa"),
        "intent: waiting for the cardholder": shop.pay("pm_card_authenticationRequired"),
        "intent: waiting for a redirect": shop.pay(
            "pm_card_threeDSecure2Required", return_url="https://shop.example/back"
        ),
        "intent: held": held,
        "intent: captured in part": captured,
        "intent: captured beyond": over,
        "charge: captured beyond": shop.charge(over),
        "intent: canceled": shop.post(f"/v1/payment_intents/{shop.intent()['id']}/cancel"),
        "intent: canceled and released": canceled,
        "intent: paid": paid,
        "intent: declined, in the error": refused["payment_intent"],
        "intent: declined": shop.get(f"/v1/payment_intents/{refused['payment_intent']['id']}"),
        "intent: everything expanded": shop.get(
            f"/v1/payment_intents/{paid['id']}",
            **{"expand[0]": "customer.invoice_settings.default_payment_method"},
            **{
                "expand[1]": "latest_charge.balance_transaction.source",
                "expand[2]": "payment_method.customer",
            },
        ),
        "method: in an error": refused["payment_method"],
    }


def what_follows(shop: Shop, payments: dict[str, Any]) -> dict[str, Any]:
    """Return charges, refunds and what the balance says of them."""
    part, whole = shop.pay(), shop.pay("pm_card_bypassPending")
    refund = shop.post(
        "/v1/refunds",
        {"payment_intent": part["id"], "amount": "500", "reason": "duplicate", "metadata[a]": "1"},
    )
    full_refund = shop.post("/v1/refunds", {"payment_intent": whole["id"]})
    payouts = payouts_made(shop)
    blocked = shop.pay("pm_card_radarBlock", status=402)["error"]
    paid = shop.charge(payments["intent: paid"])
    transactions = "/v1/balance_transactions/"
    return {
        "charge: paid": paid,
        "charge: failed": shop.charge(payments["intent: declined"]),
        "charge: blocked": shop.charge(blocked["payment_intent"]),
        "charge: held": shop.charge(payments["intent: held"]),
        "charge: released": shop.charge(payments["intent: canceled and released"]),
        "charge: captured in part": shop.charge(payments["intent: captured in part"]),
        "charge: refunded in part": shop.charge(part),
        "charge: refunded": shop.charge(whole),
        "charge: with refunds": shop.get(f"/v1/charges/{part['latest_charge']}", **{"expand[]": "refunds"}),
        "refund: in part": refund,
        "refund: whole": shop.get(f"/v1/refunds/{full_refund['id']}"),
        "refund: expanded": shop.get(
            f"/v1/refunds/{refund['id']}",
            **{"expand[0]": "charge.balance_transaction", "expand[1]": "payment_intent"},
        ),
        **payouts,
        "balance": shop.get("/v1/balance"),
        "transaction: of a charge": shop.get(transactions + paid["balance_transaction"]),
        "transaction: available at once": shop.get(transactions + shop.charge(whole)["balance_transaction"]),
        "transaction: of a payout": shop.get(transactions + payouts["payout: failed"]["balance_transaction"]),
        "transaction: of a failed payout": shop.get(
            transactions + payouts["payout: failed"]["failure_balance_transaction"]
        ),
        "transaction: of a refund": shop.get(transactions + refund["balance_transaction"]),
    }


def test_every_object_is_as_the_dialect_says(shown: dict[str, Any]) -> None:
    wrong = {name: found for name, item in shown.items() if (found := deviations(item))}
    assert wrong == {}


def test_no_state_and_no_kind_was_forgotten(shown: dict[str, Any]) -> None:
    statuses = {item["status"] for item in shown.values() if item["object"] == "payment_intent"}
    assert statuses == INTENT_STATES
    setups = {item["status"] for item in shown.values() if item["object"] == "setup_intent"}
    assert setups == SETUP_STATES
    attempts = {item["status"] for item in shown.values() if item["object"] == "setup_attempt"}
    assert attempts == {"requires_action", "succeeded", "failed"}
    assert {item["object"] for item in shown.values()} == KINDS
    assert {item["status"] for item in shown.values() if item["object"] == "dispute"} == DISPUTE_STATES
    assert {item["status"] for item in shown.values() if item["object"] == "refund"} == REFUND_STATES
    assert {item["status"] for name, item in shown.items() if name.startswith("charge")} == {
        "succeeded",
        "pending",
        "failed",
    }


@pytest.fixture(scope="module")
def events(shop: Shop, shown: dict[str, Any]) -> list[Any]:
    """Every event of the shop, in order, after what else there is to do with objects."""
    method, charge = shown["method: saved"]["id"], shown["charge: paid"]["id"]
    source = shown["source: new"]
    shop.post(f"/v1/customers/{source['customer']}/sources/{source['id']}", {"name": "Eve"})
    shop.post(f"/v1/charges/{charge}", {"description": "Order 2"})
    shop.post(f"/v1/refunds/{shown['refund: in part']['id']}", {"metadata[a]": "2"})
    shop.post(f"/v1/payment_methods/{method}", {"metadata[a]": "2"})
    shop.post(f"/v1/customers/{shown['customer: full']['id']}", {"metadata[order]": ""})
    shop.post(f"/v1/payment_methods/{method}/detach")
    found: list[Any] = []
    page: Any = {"through_sequence": 0, "has_more": True}
    while page["has_more"]:
        page = shop.get("/v1/events", after_sequence=page["through_sequence"], limit="100")
        found += page["data"]
    return found


def test_every_event_and_its_object_is_as_the_dialect_says(events: list[Any]) -> None:
    for event in events:
        # The published one is about a plan.
        missing = [key for key in missing_keys(event, example("event")) if "data.object." not in key]
        wrong = [*missing, *violations(event, stripe.Event), *deviations(event["data"]["object"])]
        assert wrong == [], event


def test_every_type_that_the_dialect_has_for_what_happens_here_is_seen(events: list[Any]) -> None:
    # An authorization expires after days: tests/store/test_expiry.py. A schedule pays out, and a payout
    # waits long enough to be canceled: tests/http/test_payouts.py, tests/unit/domain/test_payouts.py.
    elsewhere = {"charge.expired", "payout.canceled", "payout.reconciliation_completed"}
    # The dialect has none about its receivers and its acquirers: tests/http/test_webhook_endpoints.py,
    # tests/processors/test_reviews.py.
    ours = {name for name in TYPES if name.startswith(("webhook_endpoint.", "attempt."))}
    assert {event["type"] for event in events} == TYPES - elsewhere - ours


def test_what_was_before_differs_from_what_is(events: list[Any]) -> None:
    before = {event["type"]: event["data"].get("previous_attributes") for event in events}
    assert before["charge.captured"].keys() >= {"amount_captured", "captured"}
    assert before["charge.refunded"] == {"amount_refunded": 0, "refunded": False}
    assert before["charge.updated"] == {"description": "Order 1"}
    assert before["customer.updated"] == {"metadata": {"order": "1"}}
    assert before["payment_method.detached"] == {"customer": events[0]["data"]["object"]["id"]}
    assert before["payment_method.updated"] == {"metadata": {"a": None}}
    refunds = [event["data"] for event in events if event["type"] == "refund.updated"]
    assert {"metadata": {"a": "1"}} in [data["previous_attributes"] for data in refunds]
    assert before["payment_intent.succeeded"] is None


def test_what_was_expanded_is_whole_too(shown: dict[str, Any]) -> None:
    intent = shown["intent: everything expanded"]
    charge = intent["latest_charge"]
    for inner in (
        intent["customer"],
        intent["payment_method"],
        intent["payment_method"]["customer"],
        charge,
        charge["balance_transaction"],
        charge["balance_transaction"]["source"],
        shown["refund: expanded"]["charge"],
        shown["refund: expanded"]["charge"]["balance_transaction"],
        shown["refund: expanded"]["payment_intent"],
        shown["payout: expanded"]["balance_transaction"]["source"],
        shown["charge: with refunds"]["refunds"]["data"][0],
        shown["intent: declined"]["last_payment_error"]["payment_method"],
        shown["customer: with a source"]["default_source"],
        shown["customer: with a source"]["sources"]["data"][0],
        shown["setup: declined, in the error"]["last_setup_error"]["payment_method"],
        shown["setup: everything expanded"]["latest_attempt"],
        shown["setup: everything expanded"]["latest_attempt"]["payment_method"],
        shown["setup: everything expanded"]["mandate"]["payment_method"],
    ):
        assert deviations(inner) == []


@pytest.mark.parametrize(
    "path",
    [
        "payment_intents",
        "charges",
        "refunds",
        "customers",
        "payment_methods",
        "setup_intents",
        "balance_transactions",
        "payouts",
    ],
)
def test_every_list_is_as_the_dialect_says(shop: Shop, shown: dict[str, Any], path: str) -> None:
    assert shown
    page = shop.get(f"/v1/{path}", limit="100")
    assert set(page) == {"object", "data", "has_more", "url"}
    assert (page["object"], page["url"], page["has_more"]) == ("list", f"/v1/{path}", False)
    assert page["data"]
    assert violations(page, stripe.ListObject) == []
    for item in page["data"]:
        assert deviations(item) == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("customers", "email:'ada@example.com'"),
        ("payment_intents", "amount>0 AND currency:'usd'"),
        ("charges", "payment_method_details.card.brand:'visa'"),
    ],
)
def test_what_a_search_finds_is_as_the_dialect_says(
    shop: Shop, shown: dict[str, Any], path: str, query: str
) -> None:
    assert shown
    page = shop.get(f"/v1/{path}/search", query=query, limit="100")
    assert set(page) == {"object", "data", "has_more", "next_page", "url"}
    # The annotation forgets that there is a last page, whose next one is null in the dialect.
    assert violations({**page, "next_page": "x"}, stripe.SearchResultObject) == []
    assert page["next_page"] is None
    assert page["data"]
    assert [deviations(item) for item in page["data"]] == [[]] * len(page["data"])


def test_the_client_reads_every_object_as_what_it_is(shown: dict[str, Any]) -> None:
    for name, item in shown.items():
        built = stripe.StripeObject.construct_from(item, "sk_test_x")
        assert built.to_dict() == item, name
