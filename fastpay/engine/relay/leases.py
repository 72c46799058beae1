"""The endpoints that this instance holds, each with its channel.

    state     entered when                                        left when
    free      nobody holds it, or its holder's row is too old     `balance` claims it: held
    held      claimed under the next fencing number               there are too many, it was disabled, or it
                                                                  must be claimed anew: leaving
                                                                  another instance has it: lost
    leaving   it begins nothing more, and its attempts end        its state is stored and it is released: free
    lost      another instance has its next fencing number        at once: nothing of it is stored

What the database says counts: an endpoint that is held there and unknown here is released, since the answer
to a claim was lost, and one that is known here and not held there is lost.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.relay.channel import Channel
from fastpay.engine.relay.lease_ports import Claims, Lease, Spread
from fastpay.engine.relay.ports import EndpointConfiguration, EndpointConfigurations, EndpointName
from fastpay.engine.relay.recorder import Recorded
from fastpay.engine.relay.spread import quota
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.relay")

_NONE: Mapping[EndpointName, Channel] = {}
# Returns the channel of an endpoint that was claimed.
Open = Callable[[Lease, EndpointConfiguration], Channel]


class Records(Protocol):
    """What stores the state of channels."""

    def touch(self, channel: Recorded) -> None:
        """Store the state of an endpoint soon."""

    def forget(self, channel: Recorded) -> None:
        """Drop what is to be stored of an endpoint."""

    async def flush(self) -> bool:
        """Store everything that has changed, and return whether that succeeded."""


class Leases:
    """Claims, releases and loses endpoints. `forgotten` is called with each channel that has ended."""

    def __init__(
        self,
        store: Claims,
        endpoints: EndpointConfigurations,
        records: Records,
        *,
        instance_id: str,
        open_channel: Open,
        forgotten: Callable[[Channel], None],
    ) -> None:
        self._store = store
        self._endpoints = endpoints
        self._records = records
        self._instance_id = instance_id
        self._open = open_channel
        self._forgotten = forgotten
        self.channels: dict[EndpointName, Channel] = {}
        self._by_scope: dict[Scope, dict[EndpointName, Channel]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self.claimed = self.lost = 0

    def of_scope(self, scope: Scope) -> Collection[Channel]:
        """Return the channels of a tenant."""
        return self._by_scope.get(scope, _NONE).values()

    async def balance(self, spread: Spread) -> None:
        """Claim free endpoints, or leave some, so that this instance has its share."""
        held, wanted = spread.held[self._instance_id], quota(spread, self._instance_id)
        if held > wanted:
            self._leave_some(held - wanted)
        elif spread.has_free and held < wanted:
            await self._claim(wanted - held)

    async def compare(self) -> None:
        """Let go of what another instance has taken over, and release what is not known here."""
        held = await self._store.list_held(self._instance_id)
        for channel in list(self.channels.values()):
            if (channel.name, channel.fence) not in held and not channel.is_leaving:
                self.lose(channel)
        unknown = [name for name, _ in held if name not in self.channels]
        if unknown:
            await self._store.release(self._instance_id, unknown)

    def leave(self, channel: Channel) -> None:
        """Let another instance take an endpoint over, or this one claim it anew."""
        if not channel.is_leaving:
            channel.is_leaving = True
            self._keep(self._release(channel))

    def lose(self, lost: Recorded) -> None:
        """Let go of an endpoint that another instance has: nothing of it may be stored any more."""
        channel = self.channels.get(lost.name)
        if channel is lost and channel is not None:
            self.lost += 1
            _log.warning("webhook_endpoint_lost", endpoint=channel.name.endpoint_id, fence=channel.fence)
            channel.is_leaving = True
            self._keep(self._abandon(channel))
            self._forget(channel)

    async def close(self, end: Callable[[], Coroutine[Any, Any, None]]) -> int:
        """Leave everything: `end` stores and releases it. Return how much that was."""
        self._is_closed = True
        channels = list(self.channels.values())
        await asyncio.gather(*(channel.leave(limits.relay_grace_ms) for channel in channels))
        try:
            await end()
        finally:
            for channel in channels:
                self._forget(channel)
        return len(channels)

    async def _claim(self, count: int) -> None:
        leases = await self._store.claim(self._instance_id, min(count, limits.relay_claim_max))
        leases = [lease for lease in leases if lease.name not in self.channels]
        found = await self._endpoints.load([lease.name for lease in leases]) if leases else {}
        for lease in leases:
            if lease.name in found and not self._is_closed:
                channel = self._open(lease, found[lease.name])
                self.channels[lease.name] = channel
                self._by_scope.setdefault(lease.name.scope, {})[lease.name] = channel
                self.claimed += 1
                self._records.touch(channel)
                channel.heard(None)
        unusable = [lease.name for lease in leases if lease.name not in found]
        if unusable:
            await self._store.release(self._instance_id, unusable)

    def _leave_some(self, count: int) -> None:
        staying: Sequence[Channel] = [one for one in self.channels.values() if not one.is_leaving]
        leaving = len(self.channels) - len(staying)
        for channel in staying[: max(0, count - leaving)]:
            self.leave(channel)

    async def _release(self, channel: Channel) -> None:
        await channel.leave(limits.webhook_timeout_ms)
        try:
            if await self._records.flush():
                await self._store.release(self._instance_id, [channel.name])
        except FastpayError:
            # The comparison of the next beat releases it.
            pass
        self._forget(channel)

    async def _abandon(self, channel: Channel) -> None:
        await channel.leave(0)
        self._records.forget(channel)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="relay release")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _forget(self, channel: Channel) -> None:
        if self.channels.get(channel.name) is not channel:
            return
        del self.channels[channel.name]
        of_scope = self._by_scope[channel.name.scope]
        del of_scope[channel.name]
        if not of_scope:
            del self._by_scope[channel.name.scope]
        self._records.forget(channel)
        self._forgotten(channel)
