"""What instances tell each other through Redis: which objects they have changed.

A channel of messages and not the invalidations that Redis can send of keys (client tracking): those tell of
keys that Redis holds, while an instance has cached far more than has a copy there. A message can only make
another instance forget what it has cached, or ask more of copies than it had to. So Redis may lose, delay,
repeat or invent messages: what is lost is found by asking the database (see `engine/read/freshness.py`), and
what is invented costs a read.

Nobody waits for Redis. What cannot be sent is dropped, and after a failure nothing is sent until a new
connection has been made. Both connections, to tell and to listen, have the deadlines and the bounds of
`store/redis_link.py`.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.dependency_ports import Part
from fastpay.engine.ports import Commit
from fastpay.store.redis_link import RedisLink, Reply

CHANNEL = "fastpay:changes:1"

Heard = Callable[[Scope, Sequence[tuple[str, int]], int], None]


class Announcement(msgspec.Struct, frozen=True, array_like=True):
    """Objects of one tenant and mode with the versions that they have by now.

    `origin` is the instance's; `sequence` is how far the tenant's has come, 0 where that is not said.
    """

    origin: bytes
    tenant_id: str
    livemode: bool
    versions: tuple[tuple[str, int], ...]
    sequence: int = 0


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Announcement)


class Announcements:
    """Satisfies `CommitObserver`: tells the other instances, and `heard` of what they tell.

    Without a Redis there is nobody to tell. `parts` hear whether Redis can be reached, to tell and to listen.
    """

    def __init__(
        self,
        redis_url: str | None,
        *,
        clock: Clock,
        heard: Heard,
        parts: tuple[Part | None, Part | None] = (None, None),
    ) -> None:
        self._heard = heard
        self._origin = clock.random_bytes(16)
        self._mouth: RedisLink | None = None
        self._ears: RedisLink | None = None
        if redis_url is not None:
            self._mouth = RedisLink(redis_url, greet=self._greet, part=parts[0])
            self._ears = RedisLink(redis_url, greet=self._subscribe, pushed=self._hear, part=parts[1])
        # How many were sent and not answered yet.
        self.waiting = 0
        self.sent = 0
        self.received = 0
        self.dropped = 0
        self.refused = 0

    @property
    def is_open(self) -> bool:
        """Tell whether the other instances can be told now."""
        return self._mouth is not None and self._mouth.is_open

    @property
    def failures(self) -> int:
        """How many connections ended, or could not be made."""
        return sum(link.failures for link in (self._mouth, self._ears) if link is not None)

    def start(self) -> None:
        """Begin to tell and to listen."""
        for link in (self._mouth, self._ears):
            if link is not None:
                link.start()

    async def close(self) -> None:
        """End both."""
        await asyncio.gather(*(link.close() for link in (self._mouth, self._ears) if link is not None))

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        return {
            "announcements_sent": self.sent,
            "announcements_received": self.received,
            "announcements_dropped": self.dropped,
            "announcements_refused": self.refused,
            "announcements_failures": self.failures,
        }

    def committed(self, commits: Sequence[Commit]) -> None:
        """Tell of a batch, or drop it where Redis is away."""
        for commit in commits:
            latest = {versioned.object.id: versioned.version for versioned in commit.versions}
            versions = list(latest.items())
            for start in range(0, len(versions), limits.announcement_objects_max):
                part = tuple(versions[start : start + limits.announcement_objects_max])
                self._tell(commit, part)

    def _tell(self, commit: Commit, part: tuple[tuple[str, int], ...]) -> None:
        link = self._mouth
        if link is None or not link.is_open or self.waiting >= limits.announcements_waiting_max:
            self.dropped += 1
            return
        told = Announcement(self._origin, *commit.scope, part, commit.after)
        self.waiting += 1
        link.send("PUBLISH", CHANNEL, _ENCODER.encode(told), heard=self._told)

    def _told(self, reply: Reply) -> None:
        self.waiting -= 1
        if isinstance(reply, int):
            self.sent += 1
        else:
            self.dropped += 1

    async def _greet(self) -> None:
        assert self._mouth is not None
        await self._mouth.ask("PING")

    async def _subscribe(self) -> None:
        assert self._ears is not None
        await self._ears.ask("SUBSCRIBE", CHANNEL)

    def _hear(self, data: Reply) -> None:
        try:
            announcement = _DECODER.decode(data) if isinstance(data, bytes) else None
        except msgspec.MsgspecError:
            announcement = None
        if announcement is None or len(announcement.versions) > limits.announcement_objects_max:
            self.refused += 1
        elif announcement.origin != self._origin:
            self.received += 1
            scope = Scope(announcement.tenant_id, announcement.livemode)
            self._heard(scope, announcement.versions, announcement.sequence)
