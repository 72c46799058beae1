"""What comparing has found: counted in memory, and added to the database off the path of requests.

Counts are kept for each route since it was set the last time, so that a change of the route starts from zero.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.periodic import PeriodicWork
from fastpay.engine.rollout.finding_ports import Count, Example, FindingsStore, Measure, Outcome, RouteKey
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.rollout")
OTHER = "other"


class Findings(PeriodicWork):
    """Counts what comparing finds, and writes it once a second."""

    def __init__(
        self, store: FindingsStore, *, clock: Clock, is_away: Callable[[], bool] = lambda: False
    ) -> None:
        self._store = store
        self._counts: Counter[tuple[RouteKey, Measure, str]] = Counter()
        # The names that a route was counted under since its state was set.
        self._names: dict[str, tuple[int, set[str]]] = {}
        self._examples: dict[tuple[RouteKey, str], list[Example]] = {}
        self._outcomes: Counter[str] = Counter()
        super().__init__(
            ("rollout findings", self.flush, limits.comparison_flush_ms),
            ("old rollout findings", self._purge, limits.housekeeping_interval_ms),
            clock=clock,
            log=_log,
            is_away=is_away,
        )

    async def close(self) -> None:
        """Stop, and write what there is."""
        await super().close()
        with suppress(FastpayError):
            await self.flush()

    def counts(self) -> Mapping[str, int]:
        """Return how many requests on routes in shadow had each outcome, since the start."""
        return {
            "shadow_equal": self._outcomes["equal"],
            "shadow_differing": self._outcomes["differing"],
            "shadow_dropped": self._outcomes["dropped"],
            "shadow_uncompared": sum(
                count
                for outcome, count in self._outcomes.items()
                if outcome not in ("equal", "differing", "dropped")
            ),
        }

    def ended(self, key: RouteKey, outcome: Outcome) -> None:
        """Count what became of a request."""
        self._outcomes[outcome] += 1
        self._counts[key, "outcome", outcome] += 1

    def found(self, key: RouteKey, measure: Measure, name: str, count: int = 1) -> None:
        """Count differences, or what a rule has hidden."""
        self._counts[key, measure, self._bounded(key, name)] += count

    def added(self, key: RouteKey, measure: Measure, name: str, count: int = 1) -> None:
        """Count under a name of which there is a bounded number."""
        self._counts[key, measure, name] += count

    def next_number(self, key: RouteKey, name: str) -> int | None:
        """Return the number of the next example of a difference that is counted, None if there are enough."""
        if (key, "difference", name) not in self._counts:
            return None
        number = len(self._examples.get((key, name), ())) + 1
        return number if number <= limits.comparison_examples_max else None

    def keep(self, example: Example) -> None:
        """Keep an example."""
        self._examples.setdefault((example.key, example.name), []).append(example)

    async def flush(self) -> None:
        """Write what was found since the last time. Raises: DatabaseUnavailable, Overloaded."""
        if not self._counts:
            return
        counts, examples = self._counts, self._examples
        self._counts, self._examples = Counter(), {}
        try:
            await self._store.add_findings(
                [Count(*counted, count) for counted, count in sorted(counts.items())],
                [example for kept in examples.values() for example in kept],
            )
        except BaseException:
            # Bounded, as names are. Examples come again by themselves.
            self._counts.update(counts)
            raise

    def _bounded(self, key: RouteKey, name: str) -> str:
        change, names = self._names.get(key.route, (key.change, set()))
        if change != key.change:
            names = set()
        self._names[key.route] = (key.change, names)
        if name not in names and len(names) >= limits.comparison_names_max:
            return OTHER
        names.add(name)
        return name

    async def _purge(self) -> None:
        await self._store.purge_findings(limits.comparison_days)
