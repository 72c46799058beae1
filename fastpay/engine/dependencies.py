"""The state of the servers that the process depends on, and the log lines about it.

    works  --lost-->  ERROR dependency_lost, with the reason and what to do
    lost   --a minute later, and every minute-->  ERROR dependency_still_lost
    lost   --back-->  WARNING dependency_recovered, with how long it was away

Many parts of the process notice an outage. They report it here and log nothing themselves, so that an outage
is one log line and not one for each attempt.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.dependency_ports import Part as PartOfAny
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.dependencies")

# Returns why requests cannot be served, None if they can. Must not wait.
Condition = Callable[[], FastpayError | None]


class Part:
    """One of the ways in which a dependency can fail. A dependency works while all its parts work."""

    __slots__ = ("_changed", "is_lost", "reason")

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.is_lost = False
        self.reason = ""

    def lost(self, reason: str) -> None:
        """Note that it fails, and why."""
        self.is_lost, self.reason = True, reason
        self._changed()

    def back(self) -> None:
        """Note that it works."""
        if self.is_lost:
            self.is_lost = False
            self._changed()


class Dependency:
    """A server, or a disk, that the process needs. `advice` is what to do when it is lost."""

    def __init__(self, name: str, *, clock: Clock, advice: str) -> None:
        self._name = name
        self._clock = clock
        self._advice = advice
        self._parts: list[Part] = []
        self._lost_since_ns: int | None = None
        self._logged_at_ns = 0
        # When the last losses were logged: a dependency that flaps must not fill the log.
        self._logged_ns: deque[int] = deque(maxlen=limits.outage_lines_max)
        self._is_logged = False
        self._figures: dict[str, int] = {}

    @property
    def name(self) -> str:
        """The name in log lines and metrics."""
        return self._name

    def state(self) -> dict[str, object]:
        """Return what is known now: "ok", or "lost" with the reason and since when; and what was measured."""
        if self._lost_since_ns is None:
            return {"status": "ok", **self._figures}
        reason = next(part.reason for part in self._parts if part.is_lost)
        away_s = float(_seconds(self._clock.monotonic_ns() - self._lost_since_ns))
        return {"status": "lost", "reason": reason, "away_s": away_s, **self._figures}

    def measured(self, **figures: int) -> None:
        """Note what was measured of it last."""
        self._figures = figures

    def part(self) -> Part:
        """Return a new part, which works until it is reported lost."""
        part = Part(self._changed)
        self._parts.append(part)
        return part

    def discard(self, part: PartOfAny) -> None:
        """Forget a part, however it does: what is reported to it later changes nothing."""
        self._parts = [one for one in self._parts if one is not part]
        self._changed()

    def remind(self) -> None:
        """Log once a minute that it is still lost. To be called periodically."""
        if self._lost_since_ns is None:
            return
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._logged_at_ns >= limits.outage_reminder_ms * 1_000_000:
            away_s = _seconds(now_ns - self._lost_since_ns)
            _log.error("dependency_still_lost", **self._noted(now_ns), away_s=away_s)

    def _changed(self) -> None:
        now_ns = self._clock.monotonic_ns()
        is_lost = any(part.is_lost for part in self._parts)
        if is_lost and self._lost_since_ns is None:
            self._lost_since_ns = now_ns
            logged = self._logged_ns
            is_full = len(logged) == limits.outage_lines_max
            if not is_full or now_ns - logged[0] >= limits.outage_reminder_ms * 1_000_000:
                logged.append(now_ns)
                _log.error("dependency_lost", **self._noted(now_ns))
        elif not is_lost and self._lost_since_ns is not None:
            if self._is_logged:
                away_s = _seconds(now_ns - self._lost_since_ns)
                _log.warning("dependency_recovered", dependency=self._name, away_s=away_s)
            self._lost_since_ns, self._is_logged = None, False

    def _noted(self, now_ns: int) -> dict[str, object]:
        """Return the fields of a line about the loss, and note that it is logged now."""
        reason = next(part.reason for part in self._parts if part.is_lost)
        self._logged_at_ns, self._is_logged = now_ns, True
        return {"dependency": self._name, "reason": reason, "advice": self._advice}


class Readiness:
    """Tells whether requests can be served, from what is known already, and the states of what they need."""

    def __init__(self, dependencies: Sequence[Dependency] = ()) -> None:
        self._conditions: list[Condition] = []
        self._pools: dict[str, Callable[[], Mapping[str, int]]] = {}
        self._dependencies = dependencies

    def require(self, condition: Condition) -> None:
        """Add a condition that must be met."""
        self._conditions.append(condition)

    def watch_pool(self, name: str, state: Callable[[], Mapping[str, int]]) -> None:
        """Show the state of a pool of connections to the database. `state` must not wait."""
        self._pools[name] = state

    def pools(self) -> dict[str, Mapping[str, int]]:
        """Return the state of each pool of connections to the database, by its name."""
        return {name: state() for name, state in self._pools.items()}

    def check(self) -> None:
        """Raise the error of the first condition that is not met."""
        for condition in self._conditions:
            fault = condition()
            if fault is not None:
                raise fault

    def is_met(self) -> bool:
        """Tell whether requests can be served."""
        return all(condition() is None for condition in self._conditions)

    def states(self) -> dict[str, dict[str, object]]:
        """Return the state of each dependency, by its name."""
        return {one.name: one.state() for one in self._dependencies}


def _seconds(span_ns: int) -> str:
    return f"{span_ns / 1e9:.1f}"
