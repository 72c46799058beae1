"""What instances tell each other through Redis: which objects they have changed.

A channel of messages and not the invalidations that Redis can send of keys (client tracking): those tell of
keys that Redis holds, while an instance has cached far more than has a copy there. A message can only make
another instance forget what it has cached, or ask more of copies than it had to. So Redis may lose, delay,
repeat or invent messages: what is lost is found by asking the database (see `engine/standing.py`), and what
is invented costs a read.

Nobody waits for Redis. What cannot be sent is dropped, and after a failure nothing is sent until a new
connection has been made.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from fastpay import limits, telemetry
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Commit

if TYPE_CHECKING:
    from redis.asyncio import Redis

CHANNEL = "fastpay:changes:1"

_log = telemetry.Log("fastpay.announcements")

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

    Without a Redis there is nobody to tell.
    """

    def __init__(self, redis_url: str | None, *, clock: Clock, heard: Heard) -> None:
        self._redis_url = redis_url
        self._heard = heard
        self._origin = clock.random_bytes(16)
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._is_connected = False
        self._tasks: list[asyncio.Task[None]] = []
        self.sent = 0
        self.received = 0
        self.dropped = 0
        self.refused = 0
        self.failures = 0

    def start(self) -> None:
        """Begin to tell and to listen."""
        if self._redis_url is None:
            return
        for work, name in ((self._tell, "announce"), (self._listen, "listen")):
            self._tasks.append(asyncio.create_task(self._keep_trying(work), name=name))

    async def close(self) -> None:
        """End both."""
        left = set(self._tasks)
        while left:
            # A cancellation that comes together with an answer gets lost in the driver: it is sent again.
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=limits.redis_backoff_ms / 1000)

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
                if not self._is_connected or len(self._waiting) >= limits.announcements_waiting_max:
                    self.dropped += 1
                    continue
                part = tuple(versions[start : start + limits.announcement_objects_max])
                told = Announcement(self._origin, *commit.scope, part, commit.after)
                self._waiting.append(_ENCODER.encode(told))
                self._wake.set()

    async def _keep_trying(self, work: "Callable[[Redis], Awaitable[None]]") -> None:
        from redis.asyncio import Redis  # noqa: PLC0415 - 0.2 s to import, and a start does without it
        from redis.exceptions import RedisError  # noqa: PLC0415

        assert self._redis_url is not None
        backoff_ms = limits.redis_backoff_ms
        while True:
            client = Redis.from_url(
                self._redis_url, socket_connect_timeout=limits.connect_timeout_ms / 1000, retry=None
            )
            try:
                await work(client)
            except (OSError, RedisError, TimeoutError) as error:
                if self.failures == 0:
                    _log.warning("announcements_interrupted", reason=type(error).__name__)
                self.failures += 1
            finally:
                await client.aclose()
            await asyncio.sleep(backoff_ms / 1000)
            backoff_ms = min(backoff_ms * 2, limits.redis_backoff_max_ms)

    async def _tell(self, client: "Redis") -> None:
        await client.ping()
        self._is_connected = True
        try:
            while True:
                self._wake.clear()
                if not self._waiting:
                    await self._wake.wait()
                pipeline = client.pipeline(transaction=False)
                count = min(len(self._waiting), limits.announcements_at_once_max)
                for message in itertools.islice(self._waiting, count):
                    pipeline.publish(CHANNEL, message)
                async with asyncio.timeout(limits.redis_timeout_ms / 1000):
                    await pipeline.execute()
                for _ in range(count):
                    self._waiting.popleft()
                self.sent += count
        finally:
            self._is_connected = False
            self.dropped += len(self._waiting)
            self._waiting.clear()

    async def _listen(self, client: "Redis") -> None:
        async with client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(CHANNEL)
            async for message in channel.listen():
                self._hear(message["data"])

    def _hear(self, data: object) -> None:
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
