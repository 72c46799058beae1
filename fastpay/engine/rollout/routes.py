"""The states of the routes, as far as this instance knows them: asked of the database every so often."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.periodic import PeriodicWork
from fastpay.engine.rollout.bindings import Bindings, KeyStore
from fastpay.engine.rollout.choice import ALL_LEGACY, RouteState, Side
from fastpay.engine.rollout.finding_ports import RouteKey
from fastpay.engine.rollout.findings import Findings
from fastpay.engine.rollout.guardrails import Guardrails
from fastpay.engine.rollout.merges import Merges
from fastpay.engine.rollout.mistaken import MistakenIdentifiers
from fastpay.engine.rollout.money import MoneyGuard
from fastpay.engine.rollout.ports import Legacy
from fastpay.engine.rollout.rules import Rules
from fastpay.engine.rollout.shadow import ShadowTasks
from fastpay.engine.write.trial import TrialWriter
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.rollout")
# The state of all routes that have none of their own since.
EVERY = "*"


class RolloutStore(KeyStore, Protocol):
    """What routing needs from the database. Each raises DatabaseUnavailable and Overloaded."""

    async def read_routes(self) -> Mapping[str, RouteState]:
        """Return the states of the routes that were set, by method and path."""

    async def purge(self, retention_hours: int) -> None:
        """Forget keys that are older than first answers."""


class Routes(PeriodicWork):
    """The states of the routes, at most `rollout_poll_ms` and a statement old while the database answers."""

    def __init__(
        self,
        store: RolloutStore,
        *,
        clock: Clock,
        retention_hours: int,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._bindings = Bindings(store)
        self._retention_hours = retention_hours
        self._states: Mapping[str, RouteState] = {}
        super().__init__(
            ("rollout", self.read, limits.rollout_poll_ms),
            ("rollout keys", self._purge, limits.housekeeping_interval_ms),
            clock=clock,
            log=_log,
            is_away=is_away,
        )

    def state_of(self, route: str) -> RouteState:
        """Return the state of a method on a path, such as "POST /v1/charges"."""
        return self._states.get(route) or self._states.get(EVERY, ALL_LEGACY)

    def split(self) -> list[RouteKey]:
        """Return the routes that are split by a state of their own, but for reads.

        Going back would take what this server has made out of merged lists (decision 54).
        """
        return [
            RouteKey(state.change, route)
            for route, state in self._states.items()
            if state.state == "split" and route != EVERY and not route.startswith("GET ")
        ]

    async def read(self) -> None:
        """Ask the database. Raises: DatabaseUnavailable, Overloaded."""
        found = await self._store.read_routes()
        if found != self._states:
            self._states = found
            _log.info("routes_changed", routes=len(found))

    async def bind(self, scope: Scope, digest: bytes, side: Side) -> Side:
        """Bind an idempotency key to a side, unless it is bound; return its side once that is on disk.

        Raises: DatabaseUnavailable, Overloaded.
        """
        return await self._bindings.bind((scope, digest), side)

    async def _purge(self) -> None:
        await self._store.purge(self._retention_hours)


class Front(NamedTuple):
    """What stands in front of a legacy API: the way to it, what goes where, and what compares answers.

    Of every `noise_every` requests that are compared, one is sent to the legacy API twice; none if it is 0.
    """

    legacy: Legacy
    routes: Routes
    findings: Findings
    shadow: ShadowTasks
    trial: TrialWriter
    guardrails: Guardrails
    money: MoneyGuard
    mistaken: MistakenIdentifiers
    merges: Merges
    rules: Rules = Rules()
    noise_every: int = 100 // limits.comparison_noise_percent
