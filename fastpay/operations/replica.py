"""The replica that answers lists, searches and pages of events, if an operator named one."""

from fastpay.clock import Clock
from fastpay.config import Settings
from fastpay.engine.dependencies import Readiness
from fastpay.engine.event_ports import EventLists
from fastpay.engine.read.listed_events import ListedEvents
from fastpay.engine.read.reader import Reader
from fastpay.engine.read.replica import Replica
from fastpay.operations.database import database_settings
from fastpay.store.events import PostgresEvents
from fastpay.store.pool import ReaderPool
from fastpay.store.reads import PostgresReads


class ReplicaReads:
    """A part of the application: connections to the replica, and the choice between it and the primary."""

    def __init__(
        self, url: str, settings: Settings, primary: PostgresReads, readiness: Readiness, *, clock: Clock
    ) -> None:
        database = database_settings(settings, url)
        # They connect when they are needed, and whatever they fail at is no outage: the primary answers.
        self._pools = (
            ReaderPool(database),
            ReaderPool(database, connections_max=settings.scan_connections_max),
        )
        for name, pool in zip(("replica_reads", "replica_scans"), self._pools, strict=True):
            readiness.watch_pool(name, pool.state)
        self._reads = PostgresReads(*self._pools)
        self.choice: Replica = Replica(
            primary, self._reads, clock=clock, staleness_ms=settings.read_staleness_ms
        )

    def start(self) -> None:
        """Begin to follow the replica."""
        self.choice.start()

    async def close(self) -> None:
        """Stop, and close the connections."""
        await self.choice.close()
        for pool in self._pools:
            await pool.close()

    def list_events(self, reader: Reader, events: PostgresEvents) -> EventLists:
        """Return what lists events of the store that the reader chooses; `events` are the primary's."""
        own = PostgresEvents(self._reads)
        return ListedEvents(reader, lambda store: own if store is self._reads else events)


def open_replica(
    settings: Settings, primary: PostgresReads, readiness: Readiness, *, clock: Clock
) -> ReplicaReads | None:
    """Return the replica, not started yet, None if there is none."""
    if settings.replica_url is None:
        return None
    return ReplicaReads(settings.replica_url, settings, primary, readiness, clock=clock)
