"""Puts together what an instance needs to stand in front of an older API, and what operators see of it."""

import difflib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from fastpay.clock import Clock
from fastpay.config import Settings
from fastpay.domain.identifiers import Scope
from fastpay.engine.dependencies import Dependency
from fastpay.engine.ports import Verification
from fastpay.engine.rollout.choice import ALL_LEGACY, RouteState
from fastpay.engine.rollout.findings import Findings
from fastpay.engine.rollout.guardrails import Guardrails
from fastpay.engine.rollout.merges import Merges
from fastpay.engine.rollout.mistaken import MistakenIdentifiers
from fastpay.engine.rollout.money import MoneyGuard
from fastpay.engine.rollout.ports import Legacy
from fastpay.engine.rollout.routes import EVERY, Front, Routes
from fastpay.engine.rollout.rules import Rules
from fastpay.engine.rollout.shadow import ShadowTasks
from fastpay.engine.write.trial import TrialWriter
from fastpay.errors import ConfigurationError
from fastpay.observability.program_name import command_name
from fastpay.store.pool import ReaderPool
from fastpay.store.rollout import (
    PostgresRollout,
    RouteChange,
    has_moved,
    list_routes,
    lock_routes,
    set_route,
)
from fastpay.store.rollout_findings import PostgresFindings
from fastpay.store.rollout_guard import PostgresGuard
from fastpay.store.rollout_mistaken import Mistaken, PostgresMistaken, list_mistaken

# Reads that name no object are of both sides, and nothing new is made by fastpay.
MERGED = RouteState("split")

if TYPE_CHECKING:
    from fastpay.outbound.legacy.client import LegacyClient


def open_legacy(settings: Settings, dependency: Dependency) -> "LegacyClient | None":
    """Return what passes requests to the legacy API, None without one. It is to be closed."""
    if settings.legacy_url is None:
        return None
    # Other installations never need it.
    from fastpay.outbound.legacy.client import LegacyClient  # noqa: PLC0415

    return LegacyClient(
        settings.legacy_url,
        part=dependency.part(),
        timeout_ms=settings.legacy_timeout_ms,
        connections_max=settings.legacy_connections_max,
        idle_ms=settings.legacy_idle_ms,
    )


async def open_front(
    settings: Settings,
    legacy: Legacy,
    pool: ReaderPool,
    trial: TrialWriter,
    *,
    verify: Callable[[Scope], Awaitable[Verification]],
    clock: Clock,
    is_away: Callable[[], bool],
) -> Front:
    """Return what stands in front of the legacy API. The states of the routes are known from the beginning.

    Raises: DatabaseUnavailable.
    """
    store = PostgresRollout(pool)
    hours = settings.idempotency_retention_hours
    routes = Routes(store, clock=clock, retention_hours=hours, is_away=is_away)
    await routes.read()
    percent = settings.rollout_noise_percent
    findings, guard = Findings(PostgresFindings(pool), clock=clock, is_away=is_away), PostgresGuard(pool)
    slow_ms = settings.rollout_slow_ms
    guardrails = Guardrails(guard, clock=clock, slow_ms=slow_ms, split=routes.split, is_away=is_away)
    return Front(
        legacy,
        routes,
        findings,
        ShadowTasks(),
        trial,
        guardrails,
        MoneyGuard(guard, verify, findings, guardrails, clock=clock, is_away=is_away),
        MistakenIdentifiers(PostgresMistaken(pool), clock.monotonic_ns),
        Merges(findings, clock.monotonic_ns),
        Rules(
            ignored=settings.rollout_ignore,
            identifiers=settings.rollout_identifiers,
            times=settings.rollout_timestamps,
            unordered=settings.rollout_unordered,
        ),
        100 // percent if percent else 0,
    )


def read_route(text: str) -> str:
    """Return a route as it is stored. Raises: ConfigurationError for one that is not served here."""
    known = route_names()
    if text not in (EVERY, *known):
        close = difflib.get_close_matches(text, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigurationError(f"no route {text!r} is served here{hint}")
    return text


def read_state(text: str) -> RouteState:
    """Return a state as it is written on the command line. Raises: ConfigurationError."""
    if text == "legacy":
        return ALL_LEGACY
    if text == "shadow":
        return RouteState("shadow")
    if text == "fastpay":
        return RouteState("fastpay")
    name, _, percent = text.partition("=")
    if name == "split" and percent.isascii() and percent.isdigit() and int(percent) <= 100:
        return RouteState("split", int(percent))
    raise ConfigurationError(
        f"{text!r} is not legacy, shadow, split=N with a percentage from 0 to 100, or fastpay"
    )


def route_names() -> list[str]:
    """Return the routes that can be set, in the order of the API's description."""
    from fastpay.api.app import ROUTES  # noqa: PLC0415 - only operators ask

    return [f"{route.method} {route.path}" for route in ROUTES]


@cache
def reads_alone() -> Mapping[str, str | None]:
    """Return, for each read, why its answer is one side's if it is split; None if both sides have a part."""
    from fastpay.api.app import ROUTES  # noqa: PLC0415 - only the command line asks
    from fastpay.api.merging import why_alone  # noqa: PLC0415

    return {
        f"GET {route.path}": why_alone(route.path, route.endpoint.contract)
        for route in ROUTES
        if route.method == "GET"
    }


def describe(change: RouteChange) -> str:
    """Return a change as a line."""
    state = written(change.state)
    line = f"{change.changed_at:%Y-%m-%d %H:%M:%S}Z  {change.route}  {state}  {change.changed_by}"
    return line if change.reason is None else f"{line}  {change.reason}"


def check_latch(changes: Sequence[RouteChange], route: str, state: RouteState) -> None:
    """Raise ConfigurationError if a route was rolled back that is to be moved again.

    All routes may be given to the legacy API, whatever happened to some of them.
    """
    latched = [change for change in changes if change.reason is not None and route in (EVERY, change.route)]
    if latched and (route, state.state) != (EVERY, "legacy"):
        first = latched[0]
        raise ConfigurationError(
            f"{first.route} was rolled back: {first.reason}. When you know why, rearm it: "
            f"{command_name()} rollout rearm {first.route!r}"
        )


def check_owners(mistaken: Sequence[Mistaken]) -> None:
    """Raise ConfigurationError if objects of the legacy API look like this server's."""
    if mistaken:
        first = mistaken[0]
        raise ConfigurationError(
            f"no route can be split: {mistaken_line(first)}. When the older API has other identifiers: "
            f"{command_name()} rollout forget-identifiers"
        )


def mistaken_line(one: Mistaken) -> str:
    """Return what was seen, as an operator reads it."""
    return (
        f"the older API's {one.identifier} looks like an identifier of fastpay "
        f"({one.route}, last seen {one.last_at:%Y-%m-%d %H:%M:%S}Z)"
    )


async def move(
    connection: Any, route: str, state: RouteState, *, changed_by: str, alone: bool = False
) -> int:
    """Set the state of a route; return how many reads show the objects of both sides all the same.

    If all routes go back to the legacy API after fastpay was to make objects, a list of the legacy API would
    hide what fastpay has made. So lists and the balance are of both sides then, unless asked to be `alone`
    or objects of the legacy API look like this server's.

    Nothing else changes a route meanwhile, so no rollback is overlooked. Connections are `Any`, since asyncpg
    has no types. Raises: ConfigurationError if it was rolled back, or is to be split though objects of the
    legacy API look like this server's.
    """
    async with connection.transaction():
        await lock_routes(connection)
        check_latch(await list_routes(connection), route, state)
        if state.state == "split":
            check_owners(await list_mistaken(connection))
        await set_route(connection, route, state, changed_by=changed_by)
        if alone or route != EVERY or state.state not in ("legacy", "shadow"):
            return 0
        # A merged list is split, too: if identifiers look alike, nobody could tell whose a page's last is.
        if not await has_moved(connection) or await list_mistaken(connection):
            return 0
        merged = [read for read, why in reads_alone().items() if why is None]
        for read in merged:
            await set_route(connection, read, MERGED, changed_by=changed_by)
        return len(merged)


async def rearm(connection: Any, route: str, *, changed_by: str) -> None:
    """Let a route be moved again. Raises: ConfigurationError if it was not rolled back."""
    async with connection.transaction():
        await lock_routes(connection)
        state = check_rearmed(await list_routes(connection), route)
        await set_route(connection, route, state, changed_by=changed_by)


def written(state: RouteState) -> str:
    """Return a state as it is written on the command line."""
    return f"split={state.percent}" if state.state == "split" else state.state


def check_rearmed(changes: Sequence[RouteChange], route: str) -> RouteState:
    """Return the state of a route that is rearmed. Raises: ConfigurationError if none was rolled back."""
    if not any(change.reason is not None and route in (EVERY, change.route) for change in changes):
        raise ConfigurationError(f"{route} was not rolled back")
    return ALL_LEGACY
