"""Assembles the operator's listener beside the public one, in the same process."""

import asyncio
import gc
import importlib
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from fastpay import limits
from fastpay._native.histograms import Histograms
from fastpay.admin.app import AdminApplication
from fastpay.admin.console.ports import ProcessState
from fastpay.api.app import Application
from fastpay.clock import Clock
from fastpay.config import Settings, admin_port
from fastpay.engine.rollout.merges import LABELS
from fastpay.engine.write.measures import MEASURES
from fastpay.errors import ConfigurationError
from fastpay.observability import traces
from fastpay.observability.buckets import DURATION_BOUNDS_NS
from fastpay.observability.counters import Counters
from fastpay.observability.metrics import Distribution, Metrics, Sample
from fastpay.outbound import delivery_times
from fastpay.outbound.delivery_times import DELIVERIES_NS
from fastpay.server.listener import ASGIApplication, Server, ServerSettings
from fastpay.store import statement_times
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.sealing import Vault
from fastpay.store.statement_times import STATEMENTS_NS

if TYPE_CHECKING:
    from fastpay.engine.dependencies import Readiness


_ASSEMBLY = "fastpay.operations.console.assembly"


class LoopLag:
    """Measures how late the event loop runs a timer."""

    def __init__(self) -> None:
        self.histogram = Histograms(DURATION_BOUNDS_NS, 1)
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Set the next timer."""
        due = self._loop.time() + limits.loop_lag_interval_ms / 1000
        self._handle = self._loop.call_at(due, self._ran, due)

    def stop(self) -> None:
        """Measure no more."""
        if self._handle is not None:
            self._handle.cancel()

    def _ran(self, due: float) -> None:
        self.histogram.observe(max(0, int((self._loop.time() - due) * 1e9)))
        self.start()


class AdminListener:
    """The operator's listener, and what it shows."""

    def __init__(
        self,
        settings: Settings,
        app: Application,
        server: Server,
        counters: Counters,
        *,
        inherited: socket.socket | None = None,
    ) -> None:
        """`inherited` is a socket that listens already."""
        self._settings = settings
        self._inherited = inherited
        self._server: Server | None = None
        self._lag = LoopLag()
        self._stack = AsyncExitStack()
        self._readiness = app.readiness
        self._services = app.services
        self._counters = counters
        counters.add(server, MEASURES)
        self._metrics = metrics = Metrics(counters)
        tracer = traces.tracer()
        if tracer is not None:
            counters.add(tracer)
        exemplars = None if tracer is None else tracer.exemplars.of
        durations = Distribution(app.request_times, app.request_labels, 1_000_000_000, exemplars)
        metrics.add_histogram("http_server_request_duration_seconds", durations)
        for name, histogram, labels in (
            ("db_client_operation_duration_seconds", STATEMENTS_NS, statement_times.LABELS),
            ("http_client_request_duration_seconds", DELIVERIES_NS, delivery_times.LABELS),
        ):
            metrics.add_histogram(name, Distribution(histogram, labels, 1_000_000_000, exemplars))
        metrics.add_histogram("fastpay_batch_commands", Distribution(MEASURES.batch_commands))
        for name, histogram in (
            ("fastpay_commit_duration_seconds", MEASURES.commits_ns),
            ("fastpay_queue_wait_seconds", MEASURES.waits_ns),
            ("fastpay_event_loop_lag_seconds", self._lag.histogram),
        ):
            metrics.add_histogram(name, Distribution(histogram, divisor=1_000_000_000))
        if (front := app.services.front) is not None:
            merged = Distribution(front.merges.times, LABELS, 1_000_000_000)
            metrics.add_histogram("fastpay_merged_duration_seconds", merged)
        metrics.add_reader(lambda: _read_readiness(app.readiness))
        metrics.add_reader(_read_gc)
        metrics.add_reader(server.refusals)

    @property
    def url(self) -> str | None:
        """Where it listens, None if it is turned off."""
        return None if self._server is None else self._server.url

    @property
    def listening(self) -> socket.socket | None:
        """The socket that listens, None if it is turned off."""
        return None if self._server is None else self._server.listening

    async def start(self, database: DatabaseSettings, *, vault: Vault | None, clock: Clock) -> None:
        """Listen. Without a vault there is no console.

        Raises: ConfigurationError if the address is in use.
        """
        self._lag.start()
        port = admin_port(self._settings)
        if port is None:
            return
        console = None
        if vault is not None:
            console = self._console(database, vault, clock)
        shown = AdminApplication(
            self._metrics,
            check=self._readiness.check,
            dependencies=self._dependencies,
            pools=self._readiness.pools,
            console=console,
        )
        self._server = Server(shown, _door(self._settings, port), inherited=self._inherited)
        try:
            await self._server.start()
        except ConfigurationError as error:
            raise ConfigurationError(
                f"the operator's listener: {error}; "
                "give each instance an --admin-port of its own: 0 picks a free one, off opens none"
            ) from error

    async def stop(self) -> None:
        """Close all connections."""
        self._lag.stop()
        if self._server is not None:
            await self._server.stop()
        await self._stack.aclose()

    def _console(self, database: DatabaseSettings, vault: Vault, clock: Clock) -> ASGIApplication:
        """Return the console, which is put together at its first request."""
        opened: list[ASGIApplication] = []

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            if not opened:
                # In a thread, since it takes tens of milliseconds.
                assembly = await asyncio.to_thread(importlib.import_module, _ASSEMBLY)
                opened[:] = opened or [
                    assembly.open_console(
                        self._stack,
                        database,
                        services=self._services,
                        vault=vault,
                        clock=clock,
                        url=self._settings.console_url,
                        state=ProcessState(self._dependencies, self._readiness.pools, self._counters.read),
                    )
                ]
            await opened[0](scope, receive, send)

        return answer

    def _dependencies(self) -> dict[str, dict[str, object]]:
        return _read_dependencies(self._readiness, self._counters)


def _door(settings: Settings, port: int) -> ServerSettings:
    return ServerSettings(
        host=settings.admin_host,
        port=port,
        http2=False,
        connections_max=limits.admin_connections_max,
        # A scraper, a probe and people behind one proxy share an address. None may be refused for the others.
        limits_addresses=False,
        inflight_bytes_max=limits.inflight_bytes_min,
        body_bytes_max=limits.short_body_bytes,
        drain_timeout_ms=limits.cancel_timeout_ms,
    )


def _read_dependencies(readiness: "Readiness", counters: Counters) -> dict[str, dict[str, object]]:
    """Return the states that the log lines tell of, and how far the deliveries of webhooks are."""
    counts = counters.read()
    relay: dict[str, object] = {
        "status": "failing" if counts.get("relay_endpoints_failing") else "ok",
        "endpoints": counts.get("relay_endpoints", 0),
        "lag": counts.get("relay_lag", 0),
    }
    return readiness.states() | {"webhooks": relay}


def _read_readiness(readiness: "Readiness") -> Iterator[Sample]:
    yield "fastpay_ready", {}, int(readiness.is_met())
    for name, state in readiness.states().items():
        labels, away_s, free_bytes = {"dependency": name}, state.get("away_s", 0), state.get("free_bytes")
        yield "fastpay_dependency_up", labels, int(state["status"] == "ok")
        assert isinstance(away_s, int | float)
        yield "fastpay_dependency_lost_seconds", labels, away_s
        if isinstance(free_bytes, int):
            yield "fastpay_dependency_free_bytes", labels, free_bytes
    for name, pool in readiness.pools().items():
        labels = {"pool": name}
        for state_name, count in (("idle", pool["open"] - pool["used"]), ("used", pool["used"])):
            yield "fastpay_pool_connections", labels | {"state": state_name}, count
        yield "fastpay_pool_connections_max", labels, pool["connections_max"]
        yield "fastpay_pool_waiting", labels, pool["waiting"]


def _read_gc() -> Iterator[Sample]:
    for generation, stats in enumerate(gc.get_stats()):
        yield "fastpay_gc_collections", {"generation": str(generation)}, stats["collections"]
        yield "fastpay_gc_collected", {"generation": str(generation)}, stats["collected"]
