"""What both sides have charged and refunded on split routes, and whether this server's book says the same.

    answers --> sums by day, mode, type and currency: what each side has said
                    |
                    +--> once a second: what fastpay has said, held against its transfers, object by object
                    +--> once a minute: the whole book of one tenant, as `GET /v1/ledger/verify` does

Object by object, since sums can agree where two mistakes cancel out. An answer that moves money by itself
counts: a payment that succeeds, the capture of one that was authorized at any time before, and a refund.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope, is_well_formed
from fastpay.domain.money import CURRENCIES
from fastpay.engine.periodic import PeriodicWork
from fastpay.engine.ports import Verification
from fastpay.engine.rollout.choice import FASTPAY, Side
from fastpay.engine.rollout.comparison import Shown
from fastpay.engine.rollout.finding_ports import RouteKey
from fastpay.engine.rollout.findings import Findings
from fastpay.engine.rollout.guard_ports import BookStore, Moved
from fastpay.engine.rollout.guardrails import Guardrails
from fastpay.errors import FastpayError, RateLimited
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.rollout")

# The routes whose answers move money by themselves.
CAPTURES = frozenset(("/v1/payment_intents/{id}/capture", "/v1/charges/{id}/capture"))
MOVING = CAPTURES | {"/v1/payment_intents", "/v1/payment_intents/{id}/confirm", "/v1/refunds"}
_SUCCESS = range(200, 300)
_BACK = frozenset(("failed", "canceled"))
# Amounts are 64 bits wide in the database, and so are their sums.
_AMOUNT_MAX = 2**53


class Sums(msgspec.Struct, frozen=True):
    """What was moved on a day (UTC), in the smallest unit: as each side says, and as the book here has it."""

    day: str
    mode: str
    type: str
    currency: str
    legacy: int
    fastpay: int
    book: int


class MoneyGuard(PeriodicWork):
    """Watches the money of split routes."""

    def __init__(
        self,
        book: BookStore,
        verify: Callable[[Scope], Awaitable[Verification]],
        findings: Findings,
        guardrails: Guardrails,
        *,
        clock: Clock,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        """`verify` holds the book of a tenant against its transfers and payments."""
        self._book = book
        self._verify = verify
        self._findings = findings
        self._guardrails = guardrails
        self._clock = clock
        self._answered: list[tuple[RouteKey, str, Moved]] = []
        # Those to verify, the first one next.
        self._scopes: dict[Scope, None] = {}
        self._unchecked = 0
        super().__init__(
            ("rollout money", self.look, limits.guardrail_interval_ms),
            ("rollout verification", self.verify_one, limits.guardrail_verify_ms),
            clock=clock,
            log=_log,
            is_away=is_away,
        )

    def counts(self) -> Mapping[str, int]:
        """Return how many answers could not be held against the book, since the start."""
        return {"rollout_money_unchecked": self._unchecked}

    def answered(self, key: RouteKey, side: Side, shown: Shown, scope: Scope | None) -> None:
        """Note an answer that is no replay. `scope` is whose it is, for one of this server."""
        found = _read(shown)
        if found is None:
            return
        mode = "live" if found.livemode is True else "test"
        day = f"{datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC):%Y-%m-%d}"
        place = f"{day} {mode} {found.type} {found.currency}"
        self._findings.added(key, "money", f"{side} {place}", found.amount)
        if side != FASTPAY:
            return
        source = found.source
        if scope is None or source is None or len(self._answered) >= limits.guardrail_money_max:
            self._unchecked += 1
            return
        is_capture = key.route.removeprefix("POST ") in CAPTURES
        moved = Moved(scope, source, found.type, found.currency, found.amount, is_capture)
        self._answered.append((key, place, moved))
        self._scopes[scope] = None

    async def look(self) -> None:
        """Hold what was answered since the last look against the book.

        Raises: DatabaseUnavailable, Overloaded. Then nothing is lost.
        """
        taken = self._answered[:]
        if not taken:
            return
        booked = await self._book.read_booked([moved for _, _, moved in taken])
        del self._answered[: len(taken)]
        for key, place, moved in taken:
            has = booked.get((moved.source, moved.type), {})
            if has.get(moved.currency):
                self._findings.added(key, "money", f"book {place}", has[moved.currency])
            if has != {moved.currency: moved.amount}:
                told = ", ".join(f"{amount} {currency}" for currency, amount in has.items()) or "nothing"
                await self._guardrails.roll_back_all(
                    f"money: the answer about the {moved.type} of {moved.source} says "
                    f"{moved.amount} {moved.currency}, the book has {told}"
                )

    async def verify_one(self) -> None:
        """Verify the book that was not verified for longest, of those that were charged since.

        Raises: DatabaseUnavailable, Overloaded.
        """
        if not self._scopes:
            return
        scope = next(iter(self._scopes))
        del self._scopes[scope]
        try:
            verification = await self._verify(scope)
        except FastpayError as error:
            self._scopes[scope] = None
            if isinstance(error, RateLimited):
                # Somebody else verifies it.
                return
            raise
        if verification.problems:
            await self._guardrails.roll_back_all(
                f"verify: {len(verification.problems)} faults in a book of tenant {scope.tenant_id}, "
                f"the first: {verification.problems[0]}"
            )


class _Found(NamedTuple):
    """What an answer says was moved. `source` is what the transfers are for, None if it does not say."""

    type: str
    source: str | None
    currency: str
    amount: int
    livemode: object


def _read(shown: Shown) -> _Found | None:
    """Return what an answer says was moved, None if nothing was."""
    if shown.status not in _SUCCESS:
        return None
    try:
        body: Any = msgspec.json.decode(shown.body)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    is_payment = body.get("object") == "payment_intent" and body.get("status") == "succeeded"
    is_charge = body.get("object") == "charge" and body.get("captured") is True
    # What is paid back without a charge comes from a customer's cash.
    is_refund = body.get("object") == "refund" and body.get("charge") and body.get("status") not in _BACK
    # The other one is a refund.
    name = "amount_received" if is_payment else "amount_captured" if is_charge else "amount"
    amount = body.get(name)
    currency = body.get("currency")
    if not (is_payment or is_charge or is_refund) or type(amount) is not int or not 0 < amount < _AMOUNT_MAX:
        return None
    if not isinstance(currency, str) or currency not in CURRENCIES:
        return None
    source = body.get("latest_charge") if is_payment else body.get("id")
    if isinstance(source, dict):
        source = source.get("id")
    prefix, kind = ("re", "refund") if is_refund else ("ch", "charge")
    is_known = isinstance(source, str) and is_well_formed(source, prefix)
    return _Found(kind, source if is_known else None, currency, amount, body.get("livemode"))


def sums_of(counts: Mapping[str, int]) -> Iterator[Sums]:
    """Yield what the counts of a route say, the newest day first."""
    places = sorted({name.partition(" ")[2] for name in counts}, reverse=True)
    for place in places:
        said = [counts.get(f"{side} {place}", 0) for side in ("legacy", "fastpay", "book")]
        day, mode, kind, currency = place.split(" ")
        yield Sums(day, mode, kind, currency, *said)
