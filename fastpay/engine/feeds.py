"""Live feeds of events: all clients that follow one tenant share each read of what is new.

A commit of this instance wakes the feed of its tenant. The feed reads what is new once, keeps it for a
moment, and wakes its followers, who send it. Other instances announce only changed objects, and announcements
may be lost, so `poll` asks for the sequences of all followed tenants as well.

    state         position of the follower            gets events by              if it is slow
    catching up   below what the feed keeps           reads that equal ones join  it asks later
    live          in what the feed keeps, or its end  the reads of the feed       its stream ends, and it may
                                                                                  come back where it was

Nothing here waits for a follower, so a slow one costs what the feed keeps (`feed_bytes_max`) and no more. A
feed without followers does not exist: a commit then costs one look into an empty dictionary.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.periodic import Periodic
from fastpay.engine.ports import Commit
from fastpay.errors import FastpayError, Overloaded, RateLimited
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.feeds")


class Piece(msgspec.Struct, frozen=True, gc=False):
    """One event as it is sent."""

    sequence: int
    type: str
    data: bytes


class News(msgspec.Struct, frozen=True, gc=False):
    """All events of a tenant above `after`, up to and including `through`.

    `end` is the last number of the sequence. `data` is what all pieces together send, `types` are theirs. If
    `after` equals `through`, nothing is new: it is time to say that the stream is alive.
    """

    after: int
    through: int
    end: int
    pieces: Sequence[Piece] = ()
    data: bytes = b""
    types: frozenset[str] = frozenset()


# Returns what follows a number of the sequence.
Read = Callable[[int], Awaitable[News]]
ReadSequences = Callable[[Sequence[Scope]], Awaitable[Mapping[Scope, int]]]


class Follower:
    """One client. It has everything up to `position`, and waits for what follows of some types.

    Without `types` it waits for all. `returned_ns` is when `next` returned last.
    """

    __slots__ = ("_feed", "_is_due", "_types", "_woken", "is_ended", "is_live", "position", "returned_ns")

    def __init__(self, feed: "Feed", position: int, types: frozenset[str] | None) -> None:
        self._feed = feed
        self._types = types
        self._is_due = False
        self.is_live = False
        self.returned_ns = feed.now_ns()
        self._woken = asyncio.Event()
        self.position = position
        self.is_ended = False

    async def next(self) -> News | None:
        """Return what follows, None if the stream has to end. A cancelled call loses nothing.

        Raises: FastpayError if the read fails.
        """
        is_stalled = False
        while not self.is_ended:
            self._woken.clear()
            news = self._feed.kept_after(self.position)
            if news is None:
                if self.is_live:
                    self._feed.note_dropped()
                    self.end()
                    break
                news = await self._feed.read_apart(self.position)
                if news.through >= news.end:
                    self._feed.begin(news.end)
                if news.through == self.position and self._feed.kept_after(self.position) is None:
                    # The read may be from before the feed's last one. A second one like it says that the
                    # database went back behind what it has shown: the feed ends with its followers.
                    if is_stalled:
                        self.end()
                    is_stalled = True
                    continue
            else:
                self.is_live = True
            if news.through > self.position or self._is_due:
                self._is_due = False
                self.position = news.through
                self.returned_ns = self._feed.now_ns()
                return news
            if self.is_live:
                await self._woken.wait()
        return None

    def offer(self, news: News) -> None:
        """Wake the follower, or only move it on if there is nothing for it: waking costs far more."""
        wanted = news.pieces if self._types is None else news.types & self._types
        if not wanted and self.is_live and self.position == news.after:
            self.position = news.through
        else:
            self._woken.set()

    def beat(self) -> None:
        """Let the stream say that it is alive."""
        self._is_due = True
        self._woken.set()

    def end(self) -> None:
        """End the stream."""
        self.is_ended = True
        self._woken.set()


class Feed:
    """What is new of one tenant. `begun_at` is its end as of the first complete read, None before it."""

    def __init__(self, scope: Scope, read: Read, feeds: "Feeds") -> None:
        self._scope = scope
        self._read = read
        self._feeds = feeds
        self._through: int | None = None
        self._kept: deque[News] = deque()
        self._kept_bytes = 0
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._reads: dict[int, asyncio.Task[News]] = {}
        self.followers: set[Follower] = set()
        self.now_ns = feeds.now_ns

    def begin(self, end: int) -> None:
        """Begin to read what follows this number, unless the feed has begun."""
        if self._through is None:
            self._through = end
            self._task = asyncio.create_task(self._run(), name="feed")

    def wake(self, sequence: int | None = None) -> None:
        """Note that the tenant's sequence has come this far, or further than it was if that is unknown."""
        if sequence is None or self._through is None or sequence > self._through:
            self._woken.set()

    def kept_after(self, position: int) -> News | None:
        """Return the first news that follow a position, without pieces if there are none yet.

        None says that they are not kept (any more).
        """
        if self._through is None:
            return None
        if position >= self._through:
            return News(position, position, self._through)
        return next((news for news in self._kept if news.after <= position < news.through), None)

    async def read_apart(self, position: int) -> News:
        """Return what follows a position that is not kept. Followers at one position share a read."""
        task = self._reads.get(position)
        if task is None:
            self._feeds.reads += 1
            task = self._reads[position] = asyncio.create_task(_call(self._read, position))
            task.add_done_callback(lambda ended: self._forget_read(position, ended))
        return await asyncio.shield(task)

    def note_dropped(self) -> None:
        """Count a follower that was too slow."""
        self._feeds.dropped += 1

    def close(self) -> None:
        """Stop, and free what is kept."""
        if self._task is not None:
            self._task.cancel()
        self._drop(len(self._kept))

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._publish()
            except FastpayError:
                # The database is away or overloaded. What was missed is read after a pause.
                self._woken.set()
                await asyncio.sleep(limits.feed_retry_ms / 1000)
            except Exception:  # noqa: BLE001  the followers must not wait in vain
                _log.exception("feed_failed")
                for follower in self.followers:
                    follower.end()

    async def _publish(self) -> None:
        """Read what is new, and wake the followers in steps, until there is nothing new."""
        while True:
            assert self._through is not None
            self._feeds.reads += 1
            news = await self._read(self._through)
            if news.through <= self._through:
                return
            begun_ns = self._feeds.now_ns()
            self._keep(news)
            waiting = list(self.followers)
            for start in range(0, len(waiting), limits.feed_wakes_at_once):
                for follower in waiting[start : start + limits.feed_wakes_at_once]:
                    follower.offer(news)
                await asyncio.sleep(0)
            # Sending to a thousand followers takes the loop from others. So it gets a small share of it, and
            # what is committed meanwhile is sent together.
            spent_ms = (self._feeds.now_ns() - begun_ns) / 1e6
            pause_ms = min(limits.feed_pause_max_ms, spent_ms * limits.feed_pause_ratio)
            await asyncio.sleep(max(limits.feed_pause_ms, pause_ms) / 1000)
            self._drop_sent()
            if news.through >= news.end:
                # What was committed since has woken the feed again.
                return

    def _keep(self, news: News) -> None:
        self._kept.append(news)
        self._kept_bytes += len(news.data)
        self._feeds.kept_bytes += len(news.data)
        self._through = news.through
        while len(self._kept) > 1 and self._kept_bytes > limits.feed_bytes_max:
            self._drop(1)
        if self._feeds.kept_bytes > limits.feeds_bytes_max:
            # Those who have not sent it at the next turn of the loop lose it, and come back.
            self._drop(len(self._kept) - 1)

    def _drop_sent(self) -> None:
        """Free what every live follower has sent."""
        live = [one.position for one in self.followers if one.is_live]
        lowest = min(live, default=self._through or 0)
        self._drop(sum(news.through <= lowest for news in self._kept))

    def _drop(self, count: int) -> None:
        for _ in range(count):
            size = len(self._kept.popleft().data)
            self._kept_bytes -= size
            self._feeds.kept_bytes -= size

    def _forget_read(self, position: int, task: "asyncio.Task[News]") -> None:
        del self._reads[position]
        if not task.cancelled():
            # If every follower is gone, nobody else looks at the error.
            task.exception()


class Feeds:
    """The feeds of all tenants that are followed. Satisfies `CommitObserver`."""

    def __init__(
        self, read_sequences: ReadSequences, *, clock: Clock, is_away: Callable[[], bool] = lambda: False
    ) -> None:
        self._read_sequences = read_sequences
        self.now_ns = clock.monotonic_ns
        self._feeds: dict[Scope, Feed] = {}
        self._count = 0
        self._is_closed = False
        self._polling = Periodic(
            "feeds", self.poll, interval_ms=limits.feed_poll_ms, clock=clock, log=_log, is_away=is_away
        )
        self.kept_bytes = 0
        self.reads = 0
        self.dropped = 0

    def start(self) -> None:
        """Begin to poll."""
        self._polling.start()

    async def close(self) -> None:
        """End all streams, and stop."""
        self.drain()
        for feed in self._feeds.values():
            feed.close()
        await self._polling.close()

    def drain(self) -> None:
        """End all streams in order, and accept no more: this instance is about to stop."""
        self._is_closed = True
        for feed in self._feeds.values():
            for follower in feed.followers:
                follower.end()

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        return {
            "feeds_followers": self._count,
            "feeds_dropped": self.dropped,
            "feeds_kept_bytes": self.kept_bytes,
            "feeds_reads": self.reads,
        }

    def follow(
        self, scope: Scope, position: int, read: Read, types: frozenset[str] | None = None
    ) -> Follower:
        """Return a follower of a tenant, which must `leave`. `read` is equal for all of a tenant.

        Raises: RateLimited, Overloaded.
        """
        feed = self._feeds.get(scope)
        if self._is_closed:
            raise Overloaded("This instance is about to stop. Try again in a moment.")
        if feed is not None and len(feed.followers) >= limits.followers_tenant_max:
            raise RateLimited(
                f"This account follows its events {limits.followers_tenant_max} times already. "
                "Close some of the streams first."
            )
        if self._count >= limits.followers_max:
            raise Overloaded("Too many clients follow events. Try again in a moment.")
        if feed is None:
            feed = self._feeds[scope] = Feed(scope, read, self)
        follower = Follower(feed, position, types)
        feed.followers.add(follower)
        self._count += 1
        return follower

    def leave(self, scope: Scope, follower: Follower) -> None:
        """Forget a follower, and the feed with the last one."""
        follower.end()
        feed = self._feeds.get(scope)
        if feed is None or follower not in feed.followers:
            return
        feed.followers.remove(follower)
        self._count -= 1
        if not feed.followers:
            feed.close()
            del self._feeds[scope]

    def committed(self, commits: Sequence[Commit]) -> None:
        """Wake the feeds of the tenants that have changed."""
        for commit in commits:
            feed = self._feeds.get(commit.scope)
            if feed is not None:
                feed.wake(commit.after)

    def heard(self, scope: Scope) -> None:
        """Wake a feed: another instance has changed something of its tenant."""
        feed = self._feeds.get(scope)
        if feed is not None:
            feed.wake()

    async def poll(self) -> None:
        """Wake the feeds of the tenants that have changed, whoever changed them, and the quiet followers."""
        await self._beat()
        scopes = list(self._feeds)
        for start in range(0, len(scopes), limits.batch_reads_max):
            sequences = await self._read_sequences(scopes[start : start + limits.batch_reads_max])
            for scope, sequence in sequences.items():
                feed = self._feeds.get(scope)
                if feed is not None:
                    feed.wake(sequence)

    async def _beat(self) -> None:
        """Let the streams that were quiet for a while say that they are alive, a few in each turn."""
        quiet_ns = self.now_ns() - limits.feed_heartbeat_ms * 1_000_000
        quiet = [
            one for feed in self._feeds.values() for one in feed.followers if one.returned_ns <= quiet_ns
        ]
        for start in range(0, len(quiet), limits.feed_wakes_at_once):
            for follower in quiet[start : start + limits.feed_wakes_at_once]:
                follower.beat()
            await asyncio.sleep(0)


async def _call(read: Read, position: int) -> News:
    return await read(position)
