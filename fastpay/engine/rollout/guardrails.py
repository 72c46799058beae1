"""Guardrails of split routes: they watch both sides, and let the legacy API answer again if fastpay is worse.

    requests --> counts of this instance --> once a second: a block, added to the evidence of all instances
                                                   |
                                                   +--> sure enough: a change of the route to legacy, with why

A rollback is for new objects, as every change of a route is: what fastpay made stays here. It is latched: a
person has to look and `rearm` the route before it can be moved again.

| metric     | a bad request                                | what happens                       |
|------------|----------------------------------------------|------------------------------------|
| `errors`   | 5xx                                          | rollback once it is sure           |
| `declines` | 402                                          | the same                           |
| `slow`     | its answer took `rollout_slow_ms` or longer | the same                           |
| `twice`    | a key of the legacy API has an answer here   | all split routes, at the first one |
| `money`    | an answer that this server's book belies     | all split routes, at the first one |
| `verify`   | a book with a fault (`money.py`)             | all split routes, at the first one |
| `sample`   | customers are not drawn as the share says    | status shows it                    |
"""

import math
from collections.abc import Callable, Iterable, Mapping

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.periodic import PeriodicWork
from fastpay.engine.rollout.choice import LEGACY, Side
from fastpay.engine.rollout.evidence import METRICS, Evidence, Sides, log_of_ratio
from fastpay.engine.rollout.finding_ports import RouteKey
from fastpay.engine.rollout.guard_ports import SAMPLE, GuardStore, Kept
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.rollout")

_DECLINED, _FAILED = 402, 500
# How far before the last look the next one begins, so that no key falls between them; and at most, which is
# how far the first one looks back.
_OVERLAP_S, _LOOK_BACK_S = 5, 60


class Guardrails(PeriodicWork):
    """Watches the split routes."""

    def __init__(
        self,
        store: GuardStore,
        *,
        clock: Clock,
        slow_ms: int = limits.guardrail_slow_ms,
        split: Callable[[], Iterable[RouteKey]] = tuple,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        """`split` returns the split routes, as far as they are known."""
        self._store = store
        self._split = split
        # What was answered on since the start: a route can be split by the state of all routes, too.
        self._seen: dict[str, RouteKey] = {}
        self._slow_ns = slow_ms * 1_000_000
        self._clock = clock
        self._blocks: dict[tuple[RouteKey, str], Sides] = {}
        self._percents: dict[RouteKey, int] = {}
        self._rollbacks = 0
        # When keys were looked at.
        self._looked_ns: int | None = None
        super().__init__(
            ("guardrails", self.look, limits.guardrail_interval_ms), clock=clock, log=_log, is_away=is_away
        )

    def counts(self) -> Mapping[str, int]:
        """Return how many routes this instance has rolled back since the start."""
        return {"rollout_rollbacks": self._rollbacks}

    def now_ns(self) -> int:
        """Return the time from which an answer's duration is counted."""
        return self._clock.monotonic_ns()

    def answered(self, key: RouteKey, side: Side, status: int, begun_ns: int) -> None:
        """Note an answer on a split route."""
        is_slow = self._clock.monotonic_ns() - begun_ns >= self._slow_ns
        for metric, is_bad in zip(METRICS, (status >= _FAILED, status == _DECLINED, is_slow), strict=True):
            self._add(key, metric, side, is_bad=is_bad)

    def drawn(self, key: RouteKey, side: Side, percent: int) -> None:
        """Note the side that a new customer was drawn for."""
        self._percents[key] = percent
        self._add(key, SAMPLE, side, is_bad=False)

    async def look(self) -> None:
        """Add what came since the last look, and roll back what is worse.

        Raises: DatabaseUnavailable, Overloaded. Then nothing is lost.
        """
        if not self._blocks:
            return
        await self._look_for_doubles()
        found = await self._store.read_evidence(sorted({key.change for key, _ in self._blocks}))
        known = {(one.key, one.metric): one.evidence for one in found}
        taken = dict(self._blocks)
        after = [
            Kept(key, metric, self._after(known.get((key, metric), Evidence()), key, metric, block))
            for (key, metric), block in sorted(taken.items())
        ]
        replaced = set(await self._store.keep_evidence(after))
        for kept in after:
            # Where another instance was faster, this block comes again with the next look.
            if (kept.key, kept.metric) in replaced:
                self._subtract((kept.key, kept.metric), taken[kept.key, kept.metric])
                if kept.metric != SAMPLE and kept.evidence.is_worse:
                    await self._roll_back(kept.key, _reason(kept))

    def _after(self, evidence: Evidence, key: RouteKey, metric: str, block: Sides) -> Evidence:
        if metric != SAMPLE:
            return evidence.after(block)
        seen = evidence.seen.plus(block)
        log = log_of_ratio(seen.legacy, seen.fastpay, self._percents[key])
        return Evidence(seen, evidence.blocks + 1, log)

    def _add(self, key: RouteKey, metric: str, side: Side, *, is_bad: bool) -> None:
        one = Sides(1, int(is_bad), 0, 0) if side == LEGACY else Sides(0, 0, 1, int(is_bad))
        self._seen[key.route] = key
        self._blocks[key, metric] = self._blocks.get((key, metric), Sides()).plus(one)

    def _subtract(self, name: tuple[RouteKey, str], block: Sides) -> None:
        left = Sides(*(now - then for now, then in zip(self._blocks[name], block, strict=True)))
        if any(left):
            self._blocks[name] = left
        else:
            del self._blocks[name]

    async def _look_for_doubles(self) -> None:
        """Roll back all split routes if a key was carried out by both sides, which must be impossible."""
        now_ns, seconds = self._clock.monotonic_ns(), _LOOK_BACK_S
        if self._looked_ns is not None:
            seconds = min((now_ns - self._looked_ns) // 1_000_000_000 + _OVERLAP_S, _LOOK_BACK_S)
        doubles = await self._store.find_charged_twice(seconds)
        self._looked_ns = now_ns
        if doubles:
            await self.roll_back_all(f"twice: {doubles} idempotency keys were carried out by both sides")

    async def roll_back_all(self, reason: str) -> None:
        """Let the legacy API answer all split routes. Raises: DatabaseUnavailable, Overloaded."""
        for key in sorted({*self._seen.values(), *self._split()}):
            await self._roll_back(key, reason)

    async def _roll_back(self, key: RouteKey, reason: str) -> None:
        if await self._store.roll_back(key, reason):
            self._rollbacks += 1
            _log.error(
                "route_reverted",
                route=key.route,
                reason=reason,
                advice="find out why, then: fastpay rollout rearm ROUTE",
            )


def _reason(kept: Kept) -> str:
    seen = kept.evidence.seen
    return (
        f"{kept.metric}: {seen.fastpay_bad} of {seen.fastpay} at fastpay, {seen.legacy_bad} of {seen.legacy} "
        f"at legacy, evidence 10^{kept.evidence.log / math.log(10):.1f}"
    )
