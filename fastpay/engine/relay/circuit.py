"""Whether an endpoint is worth trying: a circuit breaker.

    state      entered when                               what may be sent
    closed     at first, and after any success            everything that the window allows
    open       `relay_circuit_failures` failed in a row   nothing until `resume_ms`
    half_open  `resume_ms` has come                       one attempt; its failure opens it for longer

A dead endpoint costs one attempt every few minutes, and its events wait in the log, where they are anyway.
"""

from typing import Literal

from fastpay import limits
from fastpay.engine.relay.schedule import probe_delay_ms

State = Literal["closed", "open", "half_open"]


class Circuit:
    """Counts failures in a row. Times are in milliseconds since 1970, by the database's clock."""

    def __init__(
        self,
        *,
        failures: int = 0,
        failing_since_ms: int | None = None,
        resume_ms: int = 0,
        probe_max_ms: int = limits.relay_probe_max_ms,
    ) -> None:
        self.failures = failures
        # When the first of the failures in a row happened.
        self.failing_since_ms = failing_since_ms
        self.resume_ms = resume_ms
        self._probe_max_ms = probe_max_ms
        self._is_probing = False

    @property
    def is_failing(self) -> bool:
        """Whether it is open or half open."""
        return self.failures >= limits.relay_circuit_failures

    def state(self, now_ms: int) -> State:
        """Return the state at a time."""
        if not self.is_failing:
            return "closed"
        return "half_open" if now_ms >= self.resume_ms else "open"

    def may_send(self, now_ms: int) -> bool:
        """Tell whether an attempt may begin."""
        if not self.is_failing:
            return now_ms >= self.resume_ms
        return now_ms >= self.resume_ms and not self._is_probing

    def began(self) -> None:
        """Note that an attempt begins."""
        self._is_probing = self.is_failing

    def abandoned(self) -> None:
        """Note that an attempt ended without an outcome."""
        self._is_probing = False

    def succeeded(self) -> None:
        """Close it. What the receiver asked for while it was closed stands."""
        if self.is_failing:
            self.resume_ms = 0
        self.failures, self.failing_since_ms = 0, None
        self._is_probing = False

    def refused(self, now_ms: int) -> None:
        """Note that the receiver works, and takes no more for now."""
        if self.failing_since_ms is None:
            self.failing_since_ms = now_ms
        self._is_probing = False

    def failed(self, now_ms: int, *, chance: int) -> None:
        """Count a failure, and open the circuit if they are too many."""
        self.failures += 1
        if self.failing_since_ms is None:
            self.failing_since_ms = now_ms
        probed, self._is_probing = self._is_probing, False
        if self.failures == limits.relay_circuit_failures or probed:
            probes = max(1, self.failures - limits.relay_circuit_failures + 1)
            pause_ms = probe_delay_ms(probes, chance=chance, longest_ms=self._probe_max_ms)
            self.resume_ms = max(self.resume_ms, now_ms + pause_ms)
        elif self.is_failing:
            # It was sent before the circuit opened, and must not lengthen the pause.
            self.failures -= 1

    def pause(self, until_ms: int) -> None:
        """Send nothing before this time: the receiver has asked for it."""
        self.resume_ms = max(self.resume_ms, until_ms)

    def is_hopeless(self, now_ms: int) -> bool:
        """Tell whether it has failed for so long that the endpoint is to be disabled."""
        since_ms = self.failing_since_ms
        return since_ms is not None and now_ms - since_ms >= limits.relay_disable_ms
