"""A world whose payments a processor carries out: attempts are begun, and ended by what a test says."""

from collections.abc import Mapping
from typing import Any

import msgspec

from fastpay.domain.charging import Terms
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.outcomes import RecordOutcome
from fastpay.domain.plan import Command
from fastpay.domain.processor_objects import Attempt, AttemptTerms, Result, Route
from tests.support.world import PAY, World, of_type

LIVE = Scope("0" * 31 + "1", True)


def reference(number: int) -> str:
    """Return the reference of one attempt."""
    return f"att_{number:032x}"


AUTHORIZATION = reference(1)
ROUTE = Route(processor="acquirer", reference=AUTHORIZATION, wait_ms=10_000, inquiry_s=5)


def terms(number: int) -> AttemptTerms:
    """Return the terms of an attempt that follows the authorization."""
    return AttemptTerms(reference=reference(number), wait_ms=10_000, inquiry_s=5)


class LiveWorld(World):
    """A live tenant."""

    def __init__(self) -> None:
        super().__init__(scope=LIVE)

    def paid(self, *, extras: Mapping[str, Any] = {}, **fields: Any) -> PaymentIntent:
        """Pay 10.00, with an approval of the processor."""
        begun = self.do(msgspec.structs.replace(PAY, terms=Terms(route=ROUTE), fields=fields, extras=extras))
        self.record(1, is_captured=fields.get("capture_method") != "manual")
        return self.intent(begun.id)

    def authorized(self) -> PaymentIntent:
        """Authorize 10.00."""
        return self.paid(capture_method="manual")

    def attempt(self, number: int = 1) -> Attempt:
        """Return an attempt as it is now."""
        return of_type(self.objects[reference(number)].object, Attempt)

    def record(self, number: int, status: Any = "approved", **said: Any) -> Any:
        """Record what the processor says of an attempt, by default what was ordered. Return the answer."""
        attempt = self.attempt(number)
        ordered = {"amount": attempt.amount, "currency": "usd", "processor_id": f"theirs_{number}"}
        more: dict[str, Any] = (ordered if status == "approved" else {}) | said
        result = Result(status=status, **more)
        return self.end(RecordOutcome(id=attempt.id, result=result))

    def end(self, command: Command) -> Any:
        """Run a command that may answer with an error, and return that. The books are right after it."""
        answer = self.run(command).answer
        self.check()
        return answer.error

    def in_doubt(self) -> tuple[int, int]:
        """Return what is held in doubt, and what has ever been posted there."""
        account = self.account("in_doubt")
        return account.credits_pending, account.credits_posted + account.debits_posted
