"""What instances tell each other through Redis: which objects a batch has changed.

The messages go over a channel. Redis can also send invalidations by itself (client tracking), but only for
keys that it holds, and an instance caches far more than has a copy there. A message makes another instance
forget what it has cached of an object, and nothing else. So Redis may lose, delay, repeat or forge messages:
a lost one is made up for when the staleness bound ends (`engine/read/freshness.py`), and a forged one costs
a read.

New objects are not announced, because no instance can hold an older version of one: a missing identifier is
only cached if nothing can be created under it, and lists are never cached.

Nothing waits for Redis. What cannot be sent is dropped, and after a failure nothing is sent until there is a
new connection. Announcer and listener have a connection each, with the deadlines and bounds of
`store/redis_link.py`.
"""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.dependency_ports import Part
from fastpay.engine.ports import Commit
from fastpay.store.redis_link import RedisClient, Reply

CHANNEL = "fastpay:changes:2"

Heard = Callable[[Scope, Sequence[tuple[str, int]]], None]
# Tenant, mode, and its objects with the versions that they have now.
_Changes = tuple[str, bool, tuple[tuple[str, int], ...]]


class Announcement(msgspec.Struct, frozen=True, array_like=True):
    """The objects that a batch of the instance `origin` has changed."""

    origin: bytes
    changes: tuple[_Changes, ...]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Announcement)


class Announcer(RedisClient):
    """Satisfies `CommitObserver`: tells the other instances of each batch, in one message."""

    def __init__(self, redis_url: str, *, clock: Clock, part: Part | None = None) -> None:
        self.origin = clock.random_bytes(16)
        super().__init__(redis_url, part=part)
        # How many messages were sent and not answered yet.
        self.waiting = 0
        self.sent = 0
        self.dropped = 0

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        return {
            "announcements_sent": self.sent,
            "announcements_dropped": self.dropped,
            "announcements_failures": self.failures,
        }

    def committed(self, commits: Sequence[Commit]) -> None:
        """Tell of a batch, or drop the message if Redis is away."""
        for changes in _messages(commits):
            if not self._link.is_open or self.waiting >= limits.announcements_waiting_max:
                self.dropped += 1
                continue
            self.waiting += 1
            message = _ENCODER.encode(Announcement(self.origin, changes))
            self._link.send("PUBLISH", CHANNEL, message, heard=self._answered)

    def _answered(self, reply: Reply) -> None:
        self.waiting -= 1
        if isinstance(reply, int):
            self.sent += 1
        else:
            self.dropped += 1


class Listener(RedisClient):
    """Calls `heard` with what other instances than `origin` tell."""

    def __init__(self, redis_url: str, *, origin: bytes, heard: Heard, part: Part | None = None) -> None:
        self._origin = origin
        self._heard = heard
        super().__init__(redis_url, part=part, pushed=self._hear)
        self.received = 0
        self.refused = 0

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        return {
            "announcements_received": self.received,
            "announcements_refused": self.refused,
            "announcements_listening_failures": self.failures,
        }

    async def _greet(self) -> None:
        await self._link.ask("SUBSCRIBE", CHANNEL)

    def _hear(self, data: Reply) -> None:
        try:
            announcement = _DECODER.decode(data) if isinstance(data, bytes) else None
        except msgspec.MsgspecError:
            announcement = None
        if announcement is None or _size(announcement) > limits.announcement_objects_max:
            self.refused += 1
        elif announcement.origin != self._origin:
            self.received += 1
            for tenant_id, livemode, versions in announcement.changes:
                self._heard(Scope(tenant_id, livemode), versions)


def _size(announcement: Announcement) -> int:
    return sum(len(versions) for _, _, versions in announcement.changes)


def _messages(commits: Sequence[Commit]) -> Iterator[tuple[_Changes, ...]]:
    """Yield the changes of a batch, in as many messages as their number takes: mostly none or one."""
    changes: list[_Changes] = []
    room = limits.announcement_objects_max
    for commit in commits:
        versions = _changed(commit)
        while versions:
            changes.append((*commit.scope, tuple(versions[:room])))
            room -= len(changes[-1][2])
            versions = versions[len(changes[-1][2]) :]
            if not room:
                yield tuple(changes)
                changes, room = [], limits.announcement_objects_max
    if changes:
        yield tuple(changes)


def _changed(commit: Commit) -> list[tuple[str, int]]:
    """Return the objects that somebody may hold an older version of, with their latest versions."""
    changed: dict[str, int] = {}
    new: set[str] = set()
    for versioned in commit.versions:
        if versioned.version == 1:
            new.add(versioned.object.id)
        elif versioned.object.id not in new:
            changed[versioned.object.id] = versioned.version
    return list(changed.items())
