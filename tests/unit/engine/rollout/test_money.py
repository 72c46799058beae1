"""What fastpay has answered on split routes is held against its book, and a difference ends all of them."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Verification
from fastpay.engine.rollout.choice import FASTPAY, LEGACY
from fastpay.engine.rollout.comparison import Shown
from fastpay.engine.rollout.finding_ports import RouteKey
from fastpay.engine.rollout.guard_ports import Moved
from fastpay.engine.rollout.guardrails import Guardrails
from fastpay.engine.rollout.money import MoneyGuard, Sums, sums_of
from fastpay.errors import DatabaseUnavailable, FastpayError, Overloaded, RateLimited
from tests.unit.engine.rollout.test_findings import make
from tests.unit.engine.rollout.test_guardrails import Clock, Store

KEY, QUIET = RouteKey(7, "POST /v1/payment_intents"), RouteKey(3, "POST /v1/refunds")
SCOPE = Scope("0" * 32, livemode=False)
CHARGE, REFUND = "ch_" + "1" * 32, "re_" + "2" * 32
PAYMENT = {
    "object": "payment_intent", "status": "succeeded", "amount": 2500, "amount_received": 1999,
    "currency": "usd", "latest_charge": CHARGE, "livemode": False,
}  # fmt: skip
BACK = {
    "object": "refund",
    "status": "pending",
    "amount": 500,
    "currency": "usd",
    "charge": "ch",
    "id": REFUND,
}
RIGHT = {(CHARGE, "charge"): {"usd": 1999}, (REFUND, "refund"): {"usd": 500}}


class Day(Clock):
    """A clock that stands still on a day."""

    def now_ms(self) -> int:
        return 1_790_000_000_000


class Book:
    """Satisfies `BookStore`, and verifies."""

    def __init__(self) -> None:
        self.booked: Mapping[tuple[str, str], Mapping[str, int]] = RIGHT
        self.faults: list[FastpayError] = []
        self.problems: tuple[str, ...] = ()
        self.asked: list[Sequence[Moved] | Scope] = []

    async def read_booked(self, moved: Sequence[Moved]) -> Mapping[tuple[str, str], Mapping[str, int]]:
        self._ask(moved)
        return {key: value for key, value in self.booked.items() if key[0] in [one.source for one in moved]}

    async def verify(self, scope: Scope) -> Verification:
        self._ask(scope)
        return Verification(balances=(), problems=self.problems)

    def _ask(self, question: Sequence[Moved] | Scope) -> None:
        self.asked.append(question)
        if self.faults:
            raise self.faults.pop()


class Watched:
    """A guard with its stores."""

    def __init__(self) -> None:
        self.findings, self.found = make()
        self.book, self.store, clock = Book(), Store(), Day()
        guardrails = Guardrails(self.store, clock=clock, split=lambda: [QUIET])
        self.guard = MoneyGuard(self.book, self.book.verify, self.findings, guardrails, clock=clock)
        guardrails.answered(KEY, FASTPAY, 200, 0)

    def says(self, body: Mapping[str, Any], side: Any = FASTPAY, status: int = 200, **other: Any) -> None:
        """Let a side answer."""
        shown = Shown(status, json.dumps({**body, **other}).encode())
        self.guard.answered(KEY, side, shown, SCOPE if side == FASTPAY else None)

    async def sums(self) -> list[Sums]:
        """Return all that was counted."""
        await self.findings.flush()
        counts: Counter[str] = Counter()
        for one in self.found.counts:
            counts[one.name] += one.count
        return list(sums_of(counts))


@pytest.fixture
def watched() -> Watched:
    return Watched()


async def test_what_both_sides_say_is_summed_and_a_book_that_agrees_is_no_reason(watched: Watched) -> None:
    watched.says(PAYMENT)
    watched.says(BACK)
    watched.says(PAYMENT, LEGACY, latest_charge="ch_old")
    watched.says(PAYMENT, LEGACY, latest_charge=None, livemode=True, currency="jpy")
    await watched.guard.look()
    await watched.guard.look()
    assert await watched.sums() == [
        Sums("2026-09-21", "test", "refund", "usd", 0, 500, 500),
        Sums("2026-09-21", "test", "charge", "usd", 1999, 1999, 1999),
        Sums("2026-09-21", "live", "charge", "jpy", 1999, 0, 0),
    ]
    assert watched.store.rolled_back == []
    assert len(watched.book.asked) == 1


@pytest.mark.parametrize("path", ["payment_intents", "charges"])
async def test_a_capture_is_held_against_the_book_however_old_the_hold_is(
    watched: Watched, path: str
) -> None:
    key = RouteKey(9, f"POST /v1/{path}/{{id}}/capture")
    charge = {"object": "charge", "status": "succeeded", "amount": 2500, "amount_captured": 1999}
    charge |= {"captured": True, "currency": "usd", "id": CHARGE}
    shown = Shown(200, json.dumps(charge if path == "charges" else PAYMENT).encode())
    watched.guard.answered(key, FASTPAY, shown, SCOPE)
    await watched.guard.look()
    assert watched.book.asked == [[Moved(SCOPE, CHARGE, "charge", "usd", 1999, is_capture=True)]]
    assert watched.store.rolled_back == []
    watched.book.booked = {(CHARGE, "charge"): {"usd": 1998}}
    watched.guard.answered(key, FASTPAY, shown, SCOPE)
    await watched.guard.look()
    assert watched.store.rolled_back[0][1].endswith("says 1999 usd, the book has 1998 usd")


@pytest.mark.parametrize(
    ("booked", "told"),
    [
        ({"usd": 1998}, "1998 usd"),
        ({"usd": 3998}, "3998 usd"),
        ({"eur": 1999}, "1999 eur"),
        ({"usd": 1999, "eur": 1}, "1999 usd, 1 eur"),
        ({}, "nothing"),
    ],
)
async def test_a_book_that_says_otherwise_ends_all_split_routes(
    watched: Watched, booked: Mapping[str, int], told: str
) -> None:
    """Also the one on which nobody has asked here."""
    watched.book.booked = RIGHT | {(CHARGE, "charge"): booked}
    watched.says(PAYMENT)
    watched.says(BACK)
    await watched.guard.look()
    assert sorted(key for key, _ in watched.store.rolled_back) == [QUIET, KEY]
    reason = f"money: the answer about the charge of {CHARGE} says 1999 usd, the book has {told}"
    assert {reason for _, reason in watched.store.rolled_back} == {reason}


@pytest.mark.parametrize(
    ("body", "other"),
    [
        (PAYMENT, {"status": "requires_capture"}),
        (PAYMENT, {"amount_received": 0}),
        (PAYMENT, {"amount_received": 10**20}),
        (PAYMENT, {"amount_received": "1999"}),
        (PAYMENT, {"amount_received": True}),
        (PAYMENT, {"currency": "xxx"}),
        (PAYMENT, {"currency": ["usd"]}),
        (PAYMENT, {"object": "charge"}),
        (BACK, {"status": "failed"}),
        (BACK, {"charge": None}),
    ],
)
async def test_an_answer_that_moves_no_money_counts_for_nothing(
    watched: Watched, body: Mapping[str, Any], other: Mapping[str, Any]
) -> None:
    watched.says(body, **other)
    watched.says(body, status=402)
    for text in (b"", b"[1]", b"{", b"[" * 100_000):
        watched.guard.answered(KEY, FASTPAY, Shown(200, text), SCOPE)
    await watched.guard.look()
    assert await watched.sums() == []
    assert watched.book.asked == []


async def test_what_cannot_be_held_against_the_book_is_counted(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "guardrail_money_max", 1)
    watched.says(PAYMENT, latest_charge={"id": CHARGE})
    assert watched.guard.counts() == {"rollout_money_unchecked": 0}
    watched.says(PAYMENT)
    watched.says(PAYMENT, latest_charge="ch_old")
    assert watched.guard.counts() == {"rollout_money_unchecked": 2}


async def test_an_outage_of_the_database_loses_no_answer(watched: Watched) -> None:
    watched.says(PAYMENT)
    watched.book.faults = [DatabaseUnavailable("away")]
    watched.book.booked = {}
    with pytest.raises(DatabaseUnavailable):
        await watched.guard.look()
    assert watched.store.rolled_back == []
    await watched.guard.look()
    assert len(watched.store.rolled_back) == 2


@pytest.mark.parametrize("fault", [None, Overloaded("busy"), RateLimited("busy")])
async def test_a_book_with_a_fault_ends_all_split_routes(
    watched: Watched, fault: FastpayError | None
) -> None:
    """However often somebody else has the turn to verify before."""
    watched.says(PAYMENT)
    watched.book.problems = ("pi_1 differs",)
    watched.book.faults = [] if fault is None else [fault]
    if isinstance(fault, Overloaded):
        with pytest.raises(Overloaded):
            await watched.guard.verify_one()
    elif fault is not None:
        await watched.guard.verify_one()
    assert watched.store.rolled_back == []
    await watched.guard.verify_one()
    assert [key for key, _ in watched.store.rolled_back] == [QUIET, KEY]
    assert watched.store.rolled_back[0][1].endswith("the first: pi_1 differs")
    # A book to which nothing was added is not verified again.
    asked = len(watched.book.asked)
    await watched.guard.verify_one()
    assert len(watched.book.asked) == asked
