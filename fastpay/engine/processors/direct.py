"""Calls to processors that need no task: what nobody waits for happens in the turn in which it can.

    request     command 1 is answered -> send_nowait                             its answer is set
    connection                                       the answer is read -> put
    writer                                                                 commit -> set_result

So is a plain call: an authorization at a processor that takes it at once, whose outcome is an approval or a
decline. Everything else goes on in a task, from where it is: the steps are those of `calls.py`.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from fastpay.domain.outcomes import RecordOutcome
from fastpay.engine.ports import Outcome
from fastpay.engine.processors import ports
from fastpay.engine.processors.in_flight import InFlight
from fastpay.engine.processors.recording import Recorder
from fastpay.engine.processors.results import result_of
from fastpay.engine.processors.routed import Routed
from fastpay.engine.processors.waiting import Waiting

_PLAIN = frozenset(("approved", "declined"))


class Steps(Protocol):
    """What a call goes on with in a task."""

    def note(self, processor: str, reference: str, outcome: ports.Outcome) -> None:
        """Count an outcome, and log one that is not plain."""

    async def authorize(self, routed: Routed, waiting: Waiting, said: ports.Outcome | None = None) -> None:
        """Go on after what the first processor has said."""

    async def carry_out(self, waiting: Waiting, steps: Callable[[], Awaitable[object]]) -> None:
        """Do these steps. Who starts it ends the wait afterwards."""


class DirectCall:
    """One call without a task. Satisfies `Reply`: command 2 is answered to it."""

    __slots__ = ("_command", "_in_flight", "_is_over", "_recorder", "_routed", "_steps", "_waiting")

    def __init__(
        self, routed: Routed, waiting: Waiting, *, steps: Steps, in_flight: InFlight, recorder: Recorder
    ) -> None:
        self._routed = routed
        self._waiting = waiting
        self._steps = steps
        self._in_flight = in_flight
        self._recorder = recorder
        self._command: RecordOutcome | None = None
        self._is_over = False

    def answered(self, outcome: ports.Outcome) -> None:
        """Record what the processor has said."""
        if self._is_over:
            # This process stops: the attempt is open, and is inquired.
            return
        routed, waiting = self._routed, self._waiting
        self._steps.note(routed.chosen[0].name, waiting.reference, outcome)
        result = result_of(outcome) if outcome.status in _PLAIN and outcome.token is None else None
        if result is None:
            self._go_on(partial(self._steps.authorize, routed, waiting, outcome))
            return
        shown = waiting.outcome.answer.object_id
        self._command = RecordOutcome(id=waiting.reference, result=result, shown=shown, links=routed.links)
        try:
            self._recorder.put(waiting, self._command, self)
        except Exception as error:  # noqa: BLE001  whatever it is, a task looks after it
            self.set_exception(error)

    def cancel(self) -> None:
        """Leave the call: this process stops."""
        self._end()

    def done(self) -> bool:
        """Tell whether nobody waits for command 2."""
        return self._is_over

    def set_result(self, outcome: Outcome) -> None:
        """Take what became of command 2."""
        self._waiting.recorded(outcome)
        self._end()

    def set_exception(self, error: Exception) -> None:
        """Write command 2 again, if that can help."""
        command = self._command
        assert command is not None
        self._go_on(partial(self._recorder.record, self._waiting, command, is_last=True, failure=error))

    def _go_on(self, steps: Callable[[], Awaitable[object]]) -> None:
        self._is_over = True
        self._in_flight.remove(self)
        waiting = self._waiting
        self._in_flight.start(waiting.submission.scope, self._steps.carry_out(waiting, steps), waiting.end)

    def _end(self) -> None:
        self._is_over = True
        self._in_flight.remove(self)
        self._waiting.end()
