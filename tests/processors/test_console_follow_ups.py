"""Captures, cancellations and refunds of live payments that an operator asks for in the console."""

import contextlib
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import NamedTuple

import httpx
import pytest

from tests.processors.test_cardholders import CHALLENGED
from tests.processors.test_live_follow_ups import Shop
from tests.processors.test_live_payments import Front, in_background, pay
from tests.support.api import open_client
from tests.support.held_proxy import HeldProxy
from tests.support.operators import SignedIn, fields_of, get, join, notes_of, post
from tests.support.servers import SpawnServer
from tests.support.upstreams import Address


class Asked(NamedTuple):
    """What an operator asks for, the note of it, and what the page says until the processor has answered."""

    action: str
    noted: str
    fields: dict[str, str]
    waiting: str


ASKED = {
    "capture": Asked("capture", "payment.captured", {"amount": "12.00"}, '"state">processing<'),
    "void": Asked("cancel", "payment.canceled", {}, '"state">processing<'),
    "refund": Asked("refund", "payment.refunded", {"amount": "12.00"}, "</code> pending, "),
}


class Page:
    """The page of a payment, and one form of it that may be sent several times."""

    def __init__(self, front: Front, console: httpx.Client, ada: SignedIn, payment: str) -> None:
        self._front, self._console, self._ada = front, console, ada
        self._payment = payment
        self._path = f"/console/payments/{front.scope.tenant_id}/live/{payment}"
        self._form = fields_of(console, self._path, ada)

    def send(self, action: str, **fields: str) -> httpx.Response:
        """Send the form."""
        return post(self._console, f"{self._path}/{action}", self._ada, **(self._form | fields))

    @property
    def text(self) -> str:
        """What it shows now."""
        return get(self._console, self._path, self._ada).text

    @property
    def notes(self) -> list[tuple[str, str | None]]:
        """What the audit trail says of the payment."""
        return notes_of(self._front.server, self._payment)

    @property
    def attempts(self) -> list[tuple[str, str]]:
        """What was asked of the processor, and what became of it, newest first."""
        listed = self._front.attempts({"id": self._payment})
        return [(attempt["operation"], attempt["status"]) for attempt in listed]


@pytest.fixture
def front(fastpay_address: Address, spawn_server: SpawnServer) -> Iterator[Front]:
    # Nobody inquires: each outcome is what the call itself has brought.
    never = {"FASTPAY_PROCESSOR_INQUIRY_S": "3600"}
    with HeldProxy(fastpay_address.url) as proxy:
        made = Front(spawn_server, fastpay_address, proxy, **never)
        with contextlib.closing(made.upstream):
            yield made


def test_an_operator_acts_on_live_payments_as_a_client_does(front: Front) -> None:
    shop, url = Shop(front), front.server.admin_url
    with open_client(url, headers={"Origin": url}) as console:
        console.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        ada = join(console, front.server)
        for operation, asked in ASKED.items():
            carry_out(front, Page(front, console, ada, shop.payments[operation]), operation, asked)
        assert set(shop.done().values()) == {True}
        shop.check()
        with front.client() as http:
            authorized = pay(http, "refused", capture_method="manual").json()["id"]
            waiting = pay(http, "waiting", **CHALLENGED).json()["id"]
        cancel_upstream(front, authorized)
        refuse(Page(front, console, ada, authorized))
        page = Page(front, console, ada, waiting)
        assert '"state">requires_action<' in page.text
        assert page.send("cancel").status_code == 303
        assert '"state">canceled<' in page.text
    front.check()


def carry_out(front: Front, page: Page, operation: str, asked: Asked) -> None:
    """Send a form, whose processor answers when everything has been looked at, and send it again."""
    answers: list[httpx.Response] = []
    front.proxy.hold("answers")
    with in_background(lambda: answers.append(page.send(asked.action, **asked.fields))):
        front.proxy.wait_reached()
        # Attempt and note are written before anybody knows what becomes of it.
        assert page.notes == [(asked.noted, None)]
        shown = page.text
        assert asked.waiting in shown
        assert f"</code> open, {operation}" in shown
        assert page.send(asked.action, **asked.fields).status_code == 409
        front.proxy.release()
    again = page.send(asked.action, **asked.fields)
    assert [answer.status_code for answer in (*answers, again)] == [303, 303]
    assert page.attempts == [(operation, "approved"), ("authorize", "approved")]
    shown = page.text
    assert asked.waiting not in shown
    assert f"</code> approved, {operation}" in shown
    assert [note for note, _ in page.notes] == [asked.noted, f"payment.{asked.action}_refused"]


def cancel_upstream(front: Front, payment: str) -> None:
    """Cancel a payment at the upstream, which tells nobody."""
    (attempt,) = front.attempts({"id": payment})
    listed = front.upstream.get("/v1/payment_intents", params={"limit": "100"}).json()["data"]
    (theirs,) = [one["id"] for one in listed if one["metadata"].get("fastpay_reference") == attempt["id"]]
    assert front.upstream.post(f"/v1/payment_intents/{theirs}/cancel").json()["status"] == "canceled"


def refuse(page: Page) -> None:
    """Send a form that the processor refuses: the operator is told, and told the same again."""
    for _ in range(2):
        answer = page.send("capture")
        assert answer.status_code == 400
        assert "it has a status of canceled" in answer.text
    assert [note for note, _ in page.notes] == ["payment.captured", *["payment.capture_refused"] * 2]
    assert page.attempts == [("capture", "refused"), ("authorize", "approved")]
    assert '"state">requires_capture<' in page.text
