"""The relay: holds leases on endpoints, and keeps a channel for each that this instance has.

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
from collections.abc import Collection, Coroutine, Sequence
from typing import Any, NamedTuple

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.domain.webhook_endpoints import WebhookReplay
from fastpay.engine.ports import Commit
from fastpay.engine.relay.channel import Channel, Shared
from fastpay.engine.relay.event_log import EventLog
from fastpay.engine.relay.lease_ports import LeaseStore
from fastpay.engine.relay.peak import Peak
from fastpay.engine.relay.ports import Deliverer, EndpointConfigurations, EndpointName
from fastpay.engine.relay.recorder import Recorded, Recorder
from fastpay.engine.relay.reports import Reports, Submit
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
        self._recorder = Recorder(ports.store, instance_id, clock=clock, fenced=self._drop)
        self._reports = Reports(ports.submit)
        self._channels: dict[EndpointName, Channel] = {}
        self._by_scope: dict[Scope, dict[EndpointName, Channel]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        # Until when the leases are valid, on the monotonic clock.
        self._valid_until_ns = 0
        self._partitions_ns: int | None = None
        self._has_left = False
        self._end: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._delivered = self._failed = self._claimed = self._fenced = 0
        self._shared = Shared(
            clock=clock,
            deliverer=ports.deliverer,
            log=ports.log,
            slots=Slots(),
            spare=Spare(),
            peak=Peak(),
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

    async def _leave(self) -> None:
        channels = list(self._channels.values())
        await asyncio.gather(*(channel.leave(limits.relay_grace_ms) for channel in channels))
        try:
            await self._recorder.close()
            await self._store.leave(self._instance_id)
        except FastpayError:
            # The row of this instance becomes too old.
            return
        finally:
            for channel in channels:
                self._forget(channel)
        _log.info("relay_left", endpoints=len(channels))

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name, and what is so now."""
        now_ms, channels = self._clock.now_ms(), self._channels.values()
        return {
            "relay_endpoints": len(channels),
            "relay_endpoints_failing": sum(one.circuit.state(now_ms) != "closed" for one in channels),
            "relay_lag": max((one.end - one.progress.delivered_through for one in channels), default=0),
            "relay_peak": self._shared.peak.is_on,
            "relay_in_flight": self._shared.slots.in_use,
            "relay_delivered": self._delivered + sum(one.delivered for one in channels),
            "relay_failed": self._failed + sum(one.failed for one in channels),
            "relay_reads": self._shared.log.reads,
            "relay_records": self._recorder.flushes,
            "relay_claimed": self._claimed,
            "relay_fenced": self._fenced,
        }

    def committed(self, commits: Sequence[Commit]) -> None:
        """Wake the channels of the tenants that have changed."""
        by_scope = self._by_scope
        if by_scope:
            self._shared.peak.committed(commits, self._clock.monotonic_ns())
            for commit in commits:
                channels = by_scope.get(commit.scope)
                if channels:
                    for channel in list(channels.values()):
                        channel.heard(commit.after)

    def heard(self, scope: Scope) -> None:
        """Wake the channels of a tenant: another instance has changed something of it."""
        for channel in list(self._by_scope.get(scope, {}).values()):
            channel.heard(None)

    async def beat(self) -> None:
        """Renew the leases, and do what there is to do. Raises: DatabaseUnavailable, Overloaded."""
        asked_ns, was_valid = self._clock.monotonic_ns(), self._may_send()
        self._shared.peak.rest(asked_ns)
        beat = await self._store.beat(self._instance_id)
        self._valid_until_ns = asked_ns + limits.relay_lease_ms * 1_000_000
        if beat.held != len(self._channels) or not was_valid:
            await self._compare_held()
        if beat.held or beat.has_free:
            await self._keep_partitions(asked_ns)
        if beat.held > beat.quota:
            self._leave_some(beat.held - beat.quota)
        elif beat.has_free and beat.held < beat.quota:
            await self._claim(beat.quota - beat.held)
        if self._channels:
            await self._watch()
        if not await self._recorder.flush():
            # The partition may be missing.
            self._partitions_ns = None
        if not was_valid:
            self._pump_all()

    def _may_send(self) -> bool:
        is_held = self._clock.monotonic_ns() < self._valid_until_ns
        return is_held and not self._has_left and not self._recorder.is_full

    async def _keep_partitions(self, now_ns: int) -> None:
        """Make and drop partitions of attempts, at the start and then once in a while."""
        last_ns = self._partitions_ns
        if last_ns is None or now_ns - last_ns >= limits.relay_partitions_ms * 1_000_000:
            await self._store.keep_partitions(retention_days=self._retention_days)
            self._partitions_ns = now_ns

    async def _claim(self, count: int) -> None:
        leases = await self._store.claim(self._instance_id, min(count, limits.relay_claim_max))
        leases = [lease for lease in leases if lease.name not in self._channels]
        configurations = await self._endpoints.load([lease.name for lease in leases]) if leases else {}
        unusable = [lease.name for lease in leases if lease.name not in configurations]
        for lease in leases:
            if lease.name in configurations and not self._has_left:
                channel = Channel(self._shared, lease, configurations[lease.name])
                self._channels[lease.name] = channel
                self._by_scope.setdefault(lease.name.scope, {})[lease.name] = channel
                self._claimed += 1
                self._recorder.touch(channel)
                channel.heard(None)
        if unusable:
            await self._store.release(self._instance_id, unusable)

    async def _watch(self) -> None:
        """Wake the channels that are behind, and reconfigure those whose endpoint has changed."""
        changed: list[Channel] = []
        for name, sequence, version, has_replay in await self._store.watch(self._instance_id):
            channel = self._channels.get(name)
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
                    self._begin_leaving(channel)

    async def _compare_held(self) -> None:
        """Let go of what another instance has taken over."""
        held: Collection[tuple[EndpointName, int]] = await self._store.list_held(self._instance_id)
        for channel in list(self._channels.values()):
            if (channel.name, channel.fence) not in held and not channel.is_leaving:
                self._drop(channel)
        unknown = [name for name, _ in held if name not in self._channels]
        if unknown:
            # The answer to a claim was lost.
            await self._store.release(self._instance_id, unknown)

    def _leave_some(self, count: int) -> None:
        staying = [channel for channel in self._channels.values() if not channel.is_leaving]
        leaving = len(self._channels) - len(staying)
        for channel in staying[: max(0, count - leaving)]:
            self._begin_leaving(channel)

    def _begin_leaving(self, channel: Channel) -> None:
        if not channel.is_leaving:
            channel.is_leaving = True
            self._keep(self._release(channel))

    async def _release(self, channel: Channel) -> None:
        """Let another instance take an endpoint over, with its state as it is now."""
        await channel.leave(limits.webhook_timeout_ms)
        try:
            if await self._recorder.flush():
                await self._store.release(self._instance_id, [channel.name])
        except FastpayError:
            # The comparison of the next beat releases it.
            pass
        self._forget(channel)

    def _drop(self, lost: Recorded) -> None:
        """Let go of an endpoint that another instance has: nothing of it may be stored any more."""
        channel = self._channels.get(lost.name)
        if channel is lost and channel is not None:
            self._fenced += 1
            _log.warning("webhook_endpoint_lost", endpoint=channel.name.endpoint_id, fence=channel.fence)
            channel.is_leaving = True
            self._keep(self._abandon(channel))
            self._forget(channel)

    async def _abandon(self, channel: Channel) -> None:
        await channel.leave(0)
        self._recorder.forget(channel)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="relay release")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _forget(self, channel: Channel) -> None:
        if self._channels.get(channel.name) is not channel:
            return
        del self._channels[channel.name]
        of_scope = self._by_scope[channel.name.scope]
        del of_scope[channel.name]
        if not of_scope:
            del self._by_scope[channel.name.scope]
        self._delivered += channel.delivered
        self._failed += channel.failed
        self._recorder.forget(channel)
        self._reports.forget(channel.name)

    async def _find_replay(self, name: EndpointName, after: str) -> WebhookReplay | None:
        found = await self._endpoints.list_replays(name, after=after, limit=1)
        return found[0] if found else None

    def _pump_all(self) -> None:
        for channel in list(self._channels.values()):
            channel.pump()

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
