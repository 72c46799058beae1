"""Test cards whose processor does not answer in order go the way of live payments, on a real server."""

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.processors.ports import Notice, Order, Outcome
from fastpay.operations.embedded import children
from fastpay.outbound.processors.rehearsal import Rehearsals, RehearsedProcessor
from tests.support.api import get, open_client, post
from tests.support.books import check_database
from tests.support.fake_processor import FakeProcessors
from tests.support.servers import PATIENCE_SECONDS, RunningServer
from tests.support.tenants import Tenant, make_tenant
from tests.unit.api.fakes import FakeClock

NUMBERS = {
    "Lost": "4000000000008807",
    "Late": "4000000000008815",
    "Repeated": "4000000000008823",
    "Contradicted": "4000000000008831",
}
PAY = {"amount": "1500", "currency": "usd", "confirm": "true", "payment_method_types[]": "card"}
ORDER = Order(operation="authorize", reference="att_1", amount=1500, currency="usd", captures=False)


class Payments:
    """One payment with each card, and the answer that its request got."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.answers = {
            name: post(http, "/v1/payment_intents", payment_method=f"pm_card_answer{name}", **PAY)
            for name in NUMBERS
        }

    def now(self, name: str) -> dict[str, Any]:
        """Return the payment as it is."""
        shown: dict[str, Any] = get(self.http, f"/v1/payment_intents/{self.answers[name]['id']}")
        return shown

    def attempt(self, name: str) -> dict[str, Any]:
        """Return its only attempt."""
        (attempt,) = get(self.http, f"/v1/payment_intents/{self.answers[name]['id']}/attempts")["data"]
        assert attempt["processor"] == f"test:{name.lower()}"
        return dict(attempt)

    def wait(self, name: str, status: str) -> dict[str, Any]:
        """Return the payment once its attempt has this status."""
        # Attempts are read from the database, where their end is seen a moment before the payment's is here.
        assert children.wait_until(
            lambda: self.attempt(name)["status"] == status and self.now(name)["status"] != "processing",
            timeout_ms=PATIENCE_SECONDS * 1000,
        ), self.attempt(name)
        assert self.attempt(name)["in_doubt"] == (0 if status != "open" else 1500)
        return self.now(name)


@pytest.fixture(scope="module")
def customer(server: RunningServer) -> Tenant:
    return make_tenant(server.database_url)


@pytest.fixture(scope="module")
def payments(server: RunningServer, customer: Tenant) -> Iterator[Payments]:
    with open_client(server.url, customer.secret) as http:
        yield Payments(http)


@pytest.mark.parametrize(
    ("name", "answered", "ended"),
    [
        ("Lost", "processing", "approved"),
        ("Late", "processing", "approved"),
        ("Repeated", "succeeded", "approved"),
        ("Contradicted", "processing", "review"),
    ],
)
def test_a_payment_ends_as_its_card_says(payments: Payments, name: str, answered: str, ended: str) -> None:
    assert payments.answers[name]["status"] == answered
    payment = payments.wait(name, ended)
    assert payment["status"] == ("succeeded" if ended == "approved" else "requires_payment_method")
    assert payment["amount_received"] == (1500 if ended == "approved" else 0)
    charges = get(payments.http, "/v1/charges", payment_intent=payment["id"])["data"]
    assert [one["status"] for one in charges] == ["succeeded" if ended == "approved" else "failed"]


def test_they_are_payments_like_others(payments: Payments) -> None:
    lost = payments.wait("Lost", "approved")
    assert post(payments.http, "/v1/refunds", payment_intent=lost["id"])["status"] == "succeeded"
    held = post(
        payments.http,
        "/v1/payment_intents",
        payment_method="pm_card_answerRepeated",
        capture_method="manual",
        **PAY,
    )
    assert held["status"] == "requires_capture"
    captured = post(payments.http, f"/v1/payment_intents/{held['id']}/capture", amount_to_capture="700")
    assert (captured["status"], captured["amount_received"]) == ("succeeded", 700)


def test_a_saved_card_does_it_too(payments: Payments) -> None:
    person = post(payments.http, "/v1/customers")
    card = {"card[number]": NUMBERS["Repeated"], "card[exp_month]": "12", "card[exp_year]": "2034"}
    method = post(payments.http, "/v1/payment_methods", type="card", **card)
    post(payments.http, f"/v1/payment_methods/{method['id']}/attach", customer=person["id"])
    saved = {"customer": person["id"], "payment_method": method["id"], "off_session": "true"}
    paid = post(payments.http, "/v1/payment_intents", **PAY, **saved)
    assert paid["status"] == "succeeded"
    made = post(payments.http, "/v1/payment_intents", amount="900", currency="usd", **{
        "customer": person["id"], "payment_method": method["id"], "payment_method_types[]": "card",
    })  # fmt: skip
    confirmed = post(payments.http, f"/v1/payment_intents/{made['id']}/confirm")
    assert confirmed["status"] == "succeeded"


async def test_the_books_are_right_whatever_was_said(
    payments: Payments, server: RunningServer, customer: Tenant
) -> None:
    await check_database(server.database_url, Scope(customer.tenant_id.hex, livemode=False))


async def test_an_inquiry_says_what_was_done_once_the_answer_would_have_come() -> None:
    clock, heard = FakeClock(), list[Notice]()

    async def hear(notice: Notice) -> None:
        heard.append(notice)

    late = RehearsedProcessor("late", clock=clock, hear=hear)
    sent = msgspec.structs.replace(ORDER, sent_ms=clock.now_ms())
    early = await late.inquire(sent, timeout_ms=1)
    assert early is not None
    assert early.status == "unknown"
    clock.moment_ms += limits.rehearsal_answer_ms
    found = await late.inquire(sent, timeout_ms=1)
    lost = RehearsedProcessor("lost", clock=clock, hear=hear)
    assert (await lost.carry_out(sent, timeout_ms=1)).status == "unknown"
    assert found == await lost.inquire(sent, timeout_ms=1)
    assert found == Outcome(
        status="approved", processor_id="test_att_1", amount=1500, currency="usd", is_captured=False
    )
    assert heard == []


async def test_live_mode_has_none_of_them() -> None:
    others = FakeProcessors()
    rehearsals = Rehearsals(others, clock=FakeClock())
    live, test = (Scope("0" * 32, livemode=livemode) for livemode in (True, False))
    assert await rehearsals.find(live, "test:lost") is None
    assert await rehearsals.find(test, "test:lost") is not None
    assert await rehearsals.find(test, "test:other") is None
