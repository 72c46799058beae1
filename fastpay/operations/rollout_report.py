"""What comparing both sides and guarding them has found, for an operator: lines, and a report to keep."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from fastpay import limits
from fastpay.config import Settings
from fastpay.engine.rollout.choice import ALL_LEGACY
from fastpay.engine.rollout.evidence import Effect, effect_of
from fastpay.engine.rollout.finding_ports import Example, Measure
from fastpay.engine.rollout.guard_ports import SAMPLE, Kept
from fastpay.engine.rollout.latency import Latency, latency_of
from fastpay.engine.rollout.money import Sums, sums_of
from fastpay.engine.rollout.routes import EVERY
from fastpay.operations.rollout import mistaken_line, reads_alone, route_names, written
from fastpay.store.rollout import RouteChange, list_changes, list_routes
from fastpay.store.rollout_findings import Finding, list_findings
from fastpay.store.rollout_guard import list_evidence
from fastpay.store.rollout_mistaken import Mistaken, list_mistaken


class Difference(msgspec.Struct, frozen=True):
    """What differs in one place of the answers of a route, and how often. `kind` is its class."""

    name: str
    kind: str
    count: int
    examples: tuple[Example, ...]


class Watched(msgspec.Struct, frozen=True):
    """Requests on a split route by metric, how many were bad, and how sure it is that fastpay is worse.

    `effect` is the difference of the rates with the interval that it lies in, None for the sample.
    """

    metric: str
    legacy: int
    legacy_bad: int
    fastpay: int
    fastpay_bad: int
    evidence_log10: float
    effect: Effect | None


class RouteReport(msgspec.Struct, frozen=True):
    """What is known of a route since its state was set. `verdict` begins with "green" or "red".

    `latched` is what to rearm, the route or all routes, if a guardrail has rolled it back.
    """

    route: str
    state: str
    since: datetime | None
    changed_by: str | None
    verdict: str | None
    compared: int
    equal: int
    differing: int
    not_compared: Mapping[str, int]
    differences: tuple[Difference, ...]
    # How many differences each rule has hidden, and its share of all that were hidden.
    hidden: Mapping[str, int]
    hidden_share: Mapping[str, float]
    latency: Latency | None
    money: tuple[Sums, ...]
    watched: tuple[Watched, ...]
    latched: str | None


class Report(msgspec.Struct, frozen=True):
    """The report that is exported. `mistaken` are identifiers of the older API that look like fastpay's."""

    routes: tuple[RouteReport, ...]
    history: tuple[RouteChange, ...]
    mistaken: tuple[Mistaken, ...] = ()

    @property
    def is_red(self) -> bool:
        """Whether a route gives no reason to move it on."""
        return bool(self.mistaken) or any((one.verdict or "").startswith("red") for one in self.routes)


async def read_report(connection: Any) -> Report:
    """Return what is known of all routes. Connections are `Any`, since asyncpg has no types."""
    changes = await list_routes(connection)
    numbers = [change.state.change for change in changes]
    findings, examples = await list_findings(connection, numbers)
    kept = await list_evidence(connection, numbers)
    history = await list_changes(connection, limits.rollout_history_max)
    routes = _routes(changes, findings, examples, kept)
    return Report(tuple(routes), tuple(history), tuple(await list_mistaken(connection)))


def status_lines(settings: Settings, report: Report) -> Iterator[str]:
    """Yield the state of each route, what comparing has found, and why a route is not what was set."""
    if settings.legacy_url is None:
        yield "legacy_url is not set: fastpay answers every route"
    yield from _mistaken_lines(report)
    has_moved = any(change.state.state in ("split", "fastpay") for change in report.history)
    for route in report.routes:
        told = f"{route.route}  {route.state}"
        if route.since is not None:
            told += f"  since {route.since:%Y-%m-%d %H:%M:%S}Z by {route.changed_by}"
        told += _of_reads(route, has_moved=has_moved)
        if route.verdict is not None:
            told += f"  {_found(route)}"
        yield told


def report_lines(report: Report) -> Iterator[str]:
    """Yield the report as text: routes that are compared or watched, with what was found."""
    yield from _mistaken_lines(report)
    for route in report.routes:
        if route.verdict is None:
            continue
        yield f"{route.route}  {_found(route)}"
        for difference in route.differences:
            yield f"  {difference.name}: {difference.count}"
            for example in difference.examples:
                shown = f"legacy {example.legacy}, fastpay {example.fastpay}"
                yield f"    {example.request} {example.request_id}: {shown}"
        for one in route.money:
            yield (
                f"  {one.day} {one.mode} {one.type} {one.currency}: "
                f"legacy {one.legacy}, fastpay {one.fastpay}, book of fastpay {one.book}"
            )
        for rule, count in route.hidden.items():
            yield f"  hidden by {rule}: {count} ({route.hidden_share[rule]:.0%} of what is hidden)"


def _mistaken_lines(report: Report) -> Iterator[str]:
    return (f"red: no route can be split: {mistaken_line(one)}" for one in report.mistaken)


def _routes(
    changes: Sequence[RouteChange],
    findings: Sequence[Finding],
    examples: Sequence[Example],
    kept: Sequence[Kept],
) -> Iterator[RouteReport]:
    by_route = {change.route: change for change in changes}
    for name in route_names():
        change = by_route.get(name) or by_route.get(EVERY)
        own = [one for one in findings if change and one.count.key == (change.state.change, name)]
        shown = [one for one in examples if change and one.key == (change.state.change, name)]
        watched = [_watched(one) for one in kept if change and one.key == (change.state.change, name)]
        yield _route(name, change, own, shown, watched)


def _found(route: RouteReport) -> str:
    """Return what was found, in a line."""
    if route.watched:
        watched = (
            f"{one.metric}: {one.fastpay_bad} of {one.fastpay}, legacy {one.legacy_bad} of {one.legacy}"
            for one in route.watched
        )
        return f"{route.verdict}  {'; '.join(watched)}"
    if route.state != "shadow":
        return str(route.verdict)
    line = f"{route.verdict}  compared={route.compared} equal={route.equal} differing={route.differing}"
    for name, count in route.not_compared.items():
        line += f" {name}={count}"
    return f"{line} hidden={sum(route.hidden.values())}{_took(route.latency)}"


def _took(latency: Latency | None) -> str:
    if latency is None:
        return ""
    told = (
        f"  legacy p50={latency.legacy_p50_ms}ms p99={latency.legacy_p99_ms}ms "
        f"fastpay p50={latency.fastpay_p50_ms}ms p99={latency.fastpay_p99_ms}ms"
    )
    return f"{told} (fastpay is slower)" if latency.is_slower else told


def _route(
    name: str,
    change: RouteChange | None,
    findings: Sequence[Finding],
    examples: Sequence[Example],
    watched: Sequence[Watched],
) -> RouteReport:
    outcomes = _named(findings, "outcome")
    equal, differing = outcomes.pop("equal", 0), outcomes.pop("differing", 0)
    hidden = _named(findings, "hidden")
    state = ALL_LEGACY if change is None else change.state
    verdict = None
    if change is not None and change.reason is not None:
        verdict = f"red: rolled back: {change.reason}"
    elif state.state == "shadow":
        verdict = _verdict(equal, differing)
    elif state.state == "split" and state.percent and reads_alone().get(name, "a write") is not None:
        verdict = _verdict_of_split(watched)
    return RouteReport(
        name,
        written(state),
        None if change is None else change.changed_at,
        None if change is None else change.changed_by,
        verdict,
        equal + differing,
        equal,
        differing,
        outcomes,
        tuple(_differences(_named(findings, "difference"), examples)),
        hidden,
        {rule: count / sum(hidden.values()) for rule, count in hidden.items()},
        latency_of(_named(findings, "latency")),
        tuple(sums_of(_named(findings, "money"))),
        tuple(watched),
        change.route if change is not None and change.reason is not None else None,
    )


def _of_reads(route: RouteReport, *, has_moved: bool) -> str:
    """Return whose objects a read shows that names none, where that may not be clear."""
    if not route.route.startswith("GET "):
        return ""
    from fastpay.api.merging import ONLY_OURS  # noqa: PLC0415 - only operators ask

    alone = reads_alone()[route.route]
    if route.state.startswith("split"):
        counted = "".join(f", {name}={count}" for name, count in route.not_compared.items())
        side = "fastpay" if alone == ONLY_OURS else "legacy"
        return f"  (merged: of both sides{counted})" if alone is None else f"  (of {side} alone: {alone})"
    if alone is None and has_moved and route.state in ("legacy", "shadow"):
        return "  (of legacy alone: split=0 merges it with what fastpay has made)"
    return ""


def _verdict(equal: int, differing: int) -> str:
    if not equal + differing:
        return "red: nothing was compared"
    return "red: answers differ" if differing else "green"


def _verdict_of_split(watched: Sequence[Watched]) -> str:
    if not any(one.fastpay for one in watched):
        return "red: nothing has reached fastpay"
    is_unlikely = any(
        one.metric == SAMPLE and one.evidence_log10 >= -math.log10(limits.guardrail_false_rate)
        for one in watched
    )
    return "red: customers are not drawn as the share says" if is_unlikely else "green"


def _watched(kept: Kept) -> Watched:
    seen = kept.evidence.seen
    effect = None if kept.metric == SAMPLE else effect_of(seen)
    return Watched(kept.metric, *seen, kept.evidence.log / math.log(10), effect)


def _named(findings: Sequence[Finding], measure: Measure) -> dict[str, int]:
    return {one.count.name: one.count.count for one in findings if one.count.measure == measure}


def _differences(counts: Mapping[str, int], examples: Iterable[Example]) -> Iterator[Difference]:
    by_name: dict[str, list[Example]] = {}
    for one in examples:
        by_name.setdefault(one.name, []).append(one)
    for name, count in counts.items():
        yield Difference(name, name.partition(" ")[0], count, tuple(by_name.get(name, ())))
