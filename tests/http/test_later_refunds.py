"""Refunds that stay pending, fail later or wait for the cardholder, over HTTP; and refunds below a charge."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from fastpay.clock import SystemClock
from tests.support.api import open_client
from tests.support.dialect import deviations
from tests.support.servers import PATIENCE_SECONDS, RunningServer
from tests.support.storefront import AMOUNT, Shop, refused
from tests.support.tenants import make_tenant

UPDATED = ["charge.refund.updated", "refund.updated"]


@pytest.fixture
def shop(api: httpx.Client) -> Shop:
    return Shop(api)


def wait(look: Callable[[], Any], *, until: Callable[[Any], bool]) -> Any:
    """Look again and again until what is seen is what is waited for."""
    clock = SystemClock()
    patience_ns = clock.monotonic_ns() + PATIENCE_SECONDS * 10**9
    while not until(seen := look()):
        assert clock.monotonic_ns() < patience_ns, seen
    return seen


def settled(shop: Shop, refund: Any, status: str) -> Any:
    """Return a refund once it has this status."""
    return wait(lambda: shop.get(f"/v1/refunds/{refund['id']}"), until=lambda seen: seen["status"] == status)


def test_a_pending_refund_succeeds_later(shop: Shop) -> None:
    charge = shop.pay("pendingRefund")
    refund = shop.post("/v1/refunds", charge=charge, amount="400")
    assert deviations(refund) == []
    assert (refund["status"], refund["pending_reason"]) == ("pending", "processing")
    assert refund["destination_details"]["card"] == {"type": "pending"}
    done = settled(shop, refund, "succeeded")
    assert (done["pending_reason"], done["balance_transaction"]) == (None, refund["balance_transaction"])
    assert done["destination_details"]["card"] == {"type": "refund"}
    assert shop.events(refund["id"]) == ["refund.created", *UPDATED]
    assert shop.funds() == (0, AMOUNT - 400)
    assert shop.books_are_right()


def test_a_refund_that_fails_later_gives_the_money_back(shop: Shop) -> None:
    charge = shop.pay("refundFail")
    refund = shop.post("/v1/refunds", charge=charge)
    assert (refund["status"], refund["failure_reason"]) == ("succeeded", None)
    failed = settled(shop, refund, "failed")
    assert deviations(failed) == []
    assert failed["failure_reason"] == "expired_or_canceled_card"
    shown = shop.get(f"/v1/refunds/{refund['id']}", **{"expand[]": "failure_balance_transaction"})
    returned = shown["failure_balance_transaction"]
    assert deviations(returned) == []
    assert (returned["type"], returned["amount"], returned["net"]) == ("refund_failure", AMOUNT, AMOUNT)
    assert returned["source"] == refund["id"]
    after = shop.get(f"/v1/charges/{charge}")
    assert (after["amount_refunded"], after["refunded"]) == (0, False)
    assert shop.funds() == (0, AMOUNT)
    assert shop.events(refund["id"]) == ["refund.created", *UPDATED, "refund.failed"]
    (event,) = shop.get("/v1/events", type="charge.refund.updated")["data"]
    assert event["data"]["previous_attributes"] == {
        "failure_balance_transaction": None,
        "failure_reason": None,
        "status": "succeeded",
    }
    transactions = shop.get("/v1/balance_transactions", source=refund["id"])["data"]
    assert [one["type"] for one in transactions] == ["refund_failure", "refund"]
    # What came back can be refunded again.
    assert shop.post("/v1/refunds", charge=charge)["amount"] == AMOUNT
    assert shop.books_are_right()


def test_a_refund_that_waits_for_the_cardholder_can_be_canceled(shop: Shop) -> None:
    charge = shop.pay("refundRequiresAction")
    refund = shop.post("/v1/refunds", charge=charge, instructions_email="ada@example.com")
    assert deviations(refund) == []
    assert (refund["status"], refund["instructions_email"]) == ("requires_action", "ada@example.com")
    assert refund["next_action"]["type"] == "display_details"
    details = refund["next_action"]["display_details"]
    assert details["email_sent"]["email_sent_to"] == "ada@example.com"
    assert details["expires_at"] > refund["created"]
    assert shop.funds() == (0, 0)
    key = {"Idempotency-Key": "cancel"}
    answers = [shop.http.post(f"/v1/refunds/{refund['id']}/cancel", headers=key) for _ in range(2)]
    assert answers[0].content == answers[1].content
    canceled = answers[0].json()
    assert deviations(canceled) == []
    assert (canceled["status"], canceled["next_action"]) == ("canceled", None)
    assert shop.funds() == (0, AMOUNT)
    assert shop.events(refund["id"]) == ["refund.created", *UPDATED]
    refused(shop.http.post(f"/v1/refunds/{refund['id']}/cancel"), 400, None, None)
    assert shop.books_are_right()


def test_a_refund_that_waits_for_the_cardholder_can_expire(shop: Shop) -> None:
    refund = shop.post("/v1/refunds", charge=shop.pay("refundRequiresAction"))
    assert refund["next_action"] is None
    path = f"/v1/test_helpers/refunds/{refund['id']}/expire"
    failed = shop.post(path)
    assert (failed["status"], failed["failure_reason"]) == ("failed", "unknown")
    assert failed["failure_balance_transaction"] is not None
    assert shop.events(refund["id"]) == ["refund.created", *UPDATED, "refund.failed"]
    refused(shop.http.post(path), 400, None, None)
    assert shop.funds() == (0, AMOUNT)
    assert shop.books_are_right()


@pytest.mark.parametrize("card", ["visa", "refundFail", "pendingRefund"])
def test_a_refund_that_waits_for_nothing_is_not_canceled(shop: Shop, card: str) -> None:
    refund = shop.post("/v1/refunds", charge=shop.pay(card))
    refused(shop.http.post(f"/v1/refunds/{refund['id']}/cancel"), 400, None, None)


def test_refunds_are_created_listed_and_retrieved_below_a_charge(shop: Shop) -> None:
    charge, other = shop.pay("visa"), shop.pay("visa")
    path = f"/v1/charges/{charge}/refunds"
    first = shop.post(path, amount="100", reason="duplicate", **{"metadata[a]": "1"})
    assert (first["charge"], first["amount"], first["reason"]) == (charge, 100, "duplicate")
    rest = shop.post(path)
    assert rest["amount"] == AMOUNT - 100
    assert shop.get(path)["data"] == [rest, first]
    for _ in range(2):
        assert shop.get(f"{path}/{first['id']}") == shop.get(f"/v1/refunds/{first['id']}") == first
        wrong = shop.http.get(f"/v1/charges/{other}/refunds/{first['id']}")
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (404, "resource_missing")
    expanded = shop.get(f"{path}/{first['id']}", **{"expand[]": "charge"})
    assert expanded["charge"]["id"] == charge
    refused(shop.http.post(path), 400, "charge_already_refunded", None)


def test_another_tenant_has_no_way_to_refunds_below_a_charge(server: RunningServer, shop: Shop) -> None:
    charge = shop.pay("visa")
    refund = shop.post(f"/v1/charges/{charge}/refunds", amount="1")
    with open_client(server.url, make_tenant(server.database_url).secret) as stranger:
        path = f"/v1/charges/{charge}/refunds"
        answers: list[httpx.Response] = [
            stranger.post(path),
            stranger.get(f"{path}/{refund['id']}"),
            stranger.get(path),
            stranger.post(f"/v1/test_helpers/refunds/{refund['id']}/expire"),
        ]
        assert [answer.status_code for answer in answers] == [404] * 4


def test_bad_requests_for_refunds_are_refused(shop: Shop) -> None:
    charge = shop.pay("visa")
    path = f"/v1/charges/{charge}/refunds"
    for form, code, param in (
        ({"amount": "0"}, "amount_too_small", "amount"),
        ({"amount": "1001"}, "amount_too_large", "amount"),
        ({"charge": charge}, "parameter_unknown", "charge"),
        ({"instructions_email": "nobody"}, "email_invalid", "instructions_email"),
        ({"reason": "bored"}, None, "reason"),
    ):
        refused(shop.http.post(path, data=form), 400, code, param)
    assert shop.get(path)["data"] == []
