"""The relay: delivers the events of all endpoints that this instance holds.

    what happens                          what the relay does
    ------------------------------------  ---------------------------------------------------------------
    every `relay_beat_ms`                 renews its own row, and asks what there is to do
    it has fewer endpoints than its share claims free ones, each under a new fencing number
    it has more                           leaves some, once what is in flight has ended
    a commit of this instance             wakes the channels of its tenant
    a commit of another                   is announced, or found by the next beat
    its row was not renewed in time       sends nothing; others may have taken over
    another instance has taken over       notices by the fencing number that nothing was stored, and lets go
    the stop begins                       leaves everything, and then its row is deleted

An instance holds an endpoint while its own row is younger than `relay_lease_ms`, by the database's clock. The
instance counts from before it asked for the renewal, so it stops sending before another one may begin.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.domain.webhook_endpoints import WebhookReplay
from fastpay.engine.ports import Commit
from fastpay.engine.relay.channel import Channel
from fastpay.engine.relay.event_log import EventLog
from fastpay.engine.relay.lease_ports import Lease, LeaseStore
from fastpay.engine.relay.leases import Leases
from fastpay.engine.relay.peak import Peak
from fastpay.engine.relay.ports import (
    Deliverer,
    EndpointConfiguration,
    EndpointConfigurations,
    EndpointName,
)
from fastpay.engine.relay.recorder import Recorded, Recorder
from fastpay.engine.relay.reports import Reports, Submit
from fastpay.engine.relay.shared import Shared
from fastpay.engine.relay.slots import Slots
from fastpay.engine.relay.window import Spare
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.relay")


class Ports(NamedTuple):
    """What the relay works with."""

    store: LeaseStore
    endpoints: EndpointConfigurations
    log: EventLog
    deliverer: Deliverer
    submit: Submit


class Relay:
    """Satisfies `CommitObserver`. `instance_id` are 32 hexadecimal digits that no other instance has."""

    def __init__(
        self,
        ports: Ports,
        *,
        clock: Clock,
        instance_id: str,
        retention_days: int,
        stopping: asyncio.Event | None = None,
    ) -> None:
        self._store = ports.store
        self._endpoints = ports.endpoints
        self._deliverer = ports.deliverer
        self._clock = clock
        self._instance_id = instance_id
        self._retention_days = retention_days
        self._stopping = stopping
        peak = Peak()
        self._recorder = Recorder(
            ports.store, instance_id, clock=clock, fenced=self._fenced, is_busy=lambda: peak.is_on
        )
        self._reports = Reports(ports.submit)
        self.leases = Leases(
            ports.store,
            ports.endpoints,
            self._recorder,
            instance_id=instance_id,
            open_channel=self._open_channel,
            forgotten=self._forgotten,
        )
        # Until when the leases are valid, on the monotonic clock.
        self._valid_until_ns = 0
        self._partitions_ns: int | None = None
        self._has_left = False
        self._end: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._delivered = self._failed = 0
        self._shared = Shared(
            clock=clock,
            deliverer=ports.deliverer,
            log=ports.log,
            slots=Slots(),
            spare=Spare(),
            peak=peak,
            recorder=self._recorder,
            reports=self._reports,
            may_send=self._may_send,
            find_replay=self._find_replay,
        )

    def start(self) -> None:
        """Begin to hold endpoints."""
        self._recorder.start()
        self._tasks.append(asyncio.create_task(self._run(), name="relay"))
        if self._stopping is not None:
            self._tasks.append(asyncio.create_task(self._leave_at(self._stopping), name="relay stop"))

    async def close(self) -> None:
        """Leave everything in order, and close the connections to receivers."""
        await self.leave()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reports.close()
        await self._deliverer.close()

    async def leave(self) -> None:
        """Let others take over. Attempts in flight get a short time to end."""
        if self._end is None:
            self._has_left = True
            self._end = asyncio.create_task(self._leave(), name="relay end")
        await asyncio.shield(self._end)

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name, and what is so now."""
        now_ms, channels = self._clock.now_ms(), self.leases.channels.values()
        return {
            "relay_endpoints": len(channels),
            "relay_endpoints_failing": sum(one.circuit.state(now_ms) != "closed" for one in channels),
            "relay_lag": max((one.end - one.progress.delivered_through for one in channels), default=0),
            "relay_peak": self._shared.peak.is_on,
            "relay_in_flight": self._shared.slots.in_use,
            "relay_delivered": self._delivered + sum(one.attempts.delivered for one in channels),
            "relay_failed": self._failed + sum(one.attempts.failed for one in channels),
            "relay_reads": self._shared.log.reads,
            "relay_records": self._recorder.flushes,
            "relay_claimed": self.leases.claimed,
            "relay_fenced": self.leases.lost,
        }

    def committed(self, commits: Sequence[Commit]) -> None:
        """Wake the channels of the tenants that have changed."""
        if self.leases.channels:
            self._shared.peak.committed(commits, self._clock.monotonic_ns())
            for commit in commits:
                channels = list(self.leases.of_scope(commit.scope))
                types = None
                if channels and commit.events is not None:
                    types = {event.type for event in commit.events}
                for channel in channels:
                    channel.heard(commit.after, before=commit.before, types=types)

    def heard(self, scope: Scope) -> None:
        """Wake the channels of a tenant: another instance has changed something of it."""
        for channel in list(self.leases.of_scope(scope)):
            channel.heard(None)

    async def beat(self) -> None:
        """Renew the leases, and do what there is to do. Raises: DatabaseUnavailable, Overloaded."""
        asked_ns, was_valid = self._clock.monotonic_ns(), self._may_send()
        self._shared.peak.rest(asked_ns)
        spread = await self._store.beat(self._instance_id)
        self._valid_until_ns = asked_ns + limits.relay_lease_ms * 1_000_000
        held = spread.held[self._instance_id] + spread.disabled
        if held != len(self.leases.channels) or not was_valid:
            await self.leases.compare()
        if held or spread.has_free:
            await self._keep_partitions(asked_ns)
        await self.leases.balance(spread)
        if self.leases.channels:
            await self._watch()
        if not await self._recorder.flush():
            # The partition may be missing.
            self._partitions_ns = None
        if not was_valid:
            for channel in list(self.leases.channels.values()):
                channel.pump()

    async def _leave(self) -> None:
        async def end() -> None:
            await self._recorder.close()
            await self._store.leave(self._instance_id)

        try:
            count = await self.leases.close(end)
        except FastpayError:
            # The row of this instance becomes too old.
            return
        _log.info("relay_left", endpoints=count)

    def _may_send(self) -> bool:
        is_held = self._clock.monotonic_ns() < self._valid_until_ns
        return is_held and not self._has_left and not self._recorder.is_full

    async def _keep_partitions(self, now_ns: int) -> None:
        """Make and drop partitions of attempts, at the start and then once in a while."""
        last_ns = self._partitions_ns
        if last_ns is None or now_ns - last_ns >= limits.relay_partitions_ms * 1_000_000:
            await self._store.make_partitions()
            self._partitions_ns = now_ns
            # What cannot be dropped now is dropped the next time.
            with suppress(FastpayError):
                await self._store.drop_partitions(retention_days=self._retention_days)

    async def _watch(self) -> None:
        """Wake the channels that are behind, and reconfigure those whose endpoint has changed."""
        changed: list[Channel] = []
        for name, sequence, version, has_replay in await self._store.watch(self._instance_id):
            channel = self.leases.channels.get(name)
            if channel is None or channel.is_leaving:
                continue
            if version != channel.configuration.version:
                changed.append(channel)
            if has_replay:
                channel.replaying.heard()
            channel.heard(sequence)
        if changed:
            loaded = await self._endpoints.load([channel.name for channel in changed])
            for channel in changed:
                configuration = loaded.get(channel.name)
                if configuration is None or not channel.configure(configuration):
                    self.leases.leave(channel)

    def _open_channel(self, lease: Lease, configuration: EndpointConfiguration) -> Channel:
        return Channel(self._shared, lease, configuration)

    def _fenced(self, lost: Recorded) -> None:
        self.leases.lose(lost)

    def _forgotten(self, channel: Channel) -> None:
        self._delivered += channel.attempts.delivered
        self._failed += channel.attempts.failed
        self._reports.forget(channel.name)

    async def _find_replay(self, name: EndpointName, after: str) -> WebhookReplay | None:
        found = await self._endpoints.list_replays(name, after=after, limit=1)
        return found[0] if found else None

    async def _leave_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        try:
            await self.leave()
        except Exception:  # noqa: BLE001  the stop goes on
            _log.exception("relay_leave_failed")

    async def _run(self) -> None:
        while not self._has_left:
            try:
                await self.beat()
            except FastpayError:
                # The monitor tells of an outage. Without the database nothing is sent once the lease is over.
                pass
            except Exception:  # noqa: BLE001  one failure must not end the relay
                _log.exception("relay_beat_failed")
            await asyncio.sleep(limits.relay_beat_ms / 1000)
