"""Copies of objects in Redis, for the instances that do not have them in their own cache.

What makes a copy fit to be shown is not that it is there. Each tenant and mode has a mark: a generation and a
place in its sequence, which says that every change up to this place has been applied to the copies of this
generation. A commit moves the mark from the place before it to the place after it and writes what it changed,
in one script; where a commit in between is missing, the script begins a new generation, to which no older
copy belongs. So a copy of the mark's generation is at least as new as the mark says, whatever was lost,
evicted, repeated or came late, and also where Redis as a whole went back to an earlier moment: then its
mark went back too. Whether what the mark says is enough, the reader decides (`engine/read/freshness.py`).

What is read from the database is kept only while the mark is not ahead of it. It may be newer than the mark,
and what lies there may be newer still: both are at least as new as the mark, so that it does not matter which
of them stays.

Copies are encrypted, and marks sealed (`store/copy_format.py`): whoever reads Redis learns no more of an
object than its identifier and size, and whoever writes to it can make nothing up. He could put a copy back
that was right before: so Redis must be kept from those who should not write there.

Where copies are hardly ever found, looking for them and keeping them costs more than it saves. Then that is
done for one object in 64 only, the same ones on every instance, until they are found again.

Nothing is sent while a request is being answered; what cannot be sent is dropped and counted.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from importlib import resources
from typing import NamedTuple

import hiredis

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.engine.dependency_ports import Part
from fastpay.engine.read.copy_ports import Found
from fastpay.store.copy_format import (
    GENERATION_BYTES,
    REASONS,
    CopyFormat,
    Incarnation,
    Mark,
    RefusedCopyError,
)
from fastpay.store.redis_link import RedisAwayError, RedisLink, Reply

_SCRIPTS = {
    name: (resources.files("fastpay.store") / "lua" / f"copies_{name}.lua").read_text(encoding="utf-8")
    for name in ("prime", "fill")
}
_NOTHING = Found({}, {})
_WORTH_MAX = 1_024
_WORTH_SHIFT = 5
_SAMPLED = ("00", "40", "80", "c0")


class _Work(NamedTuple):
    """What is to be kept: of a commit from `before` on, or of a reading where there is none."""

    scope: Scope
    before: int | None
    sequence: int
    versions: Sequence[Versioned]


class RedisCopies:
    """Satisfies `CopyStore`. `identify` asks the database who it is, on each new connection to Redis.

    `part` is told whether Redis can be reached.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        clock: Clock,
        identify: Callable[[], Awaitable[Incarnation]],
        part: Part | None = None,
    ) -> None:
        self._clock = clock
        self._identify = identify
        self._link = RedisLink(redis_url, greet=self._greet, part=part)
        self._format: CopyFormat | None = None
        self._scripts: dict[str, bytes] = {}
        self._work: deque[_Work] = deque()
        self._values_waiting = 0
        # What was read, by the place in its tenant's sequence: kept together after a moment.
        self._read: dict[tuple[Scope, int], list[Versioned]] = {}
        # How many of 1,024 copies were there lately when they were looked for. In the beginning all of them.
        self._worth = _WORTH_MAX
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._counts = Counter[str]()

    @property
    def is_open(self) -> bool:
        """Tell whether anything can be asked now."""
        return self._link.is_open

    def wants(self, identifier: str) -> bool:
        """Tell whether there is any use in asking for this object now, or in having a copy of it kept."""
        return self._link.is_open and (self._worth >= limits.copies_worth_min or _is_sampled(identifier))

    def start(self) -> None:
        """Begin to connect, and to keep what there is to be kept."""
        self._link.start()
        self._task = asyncio.create_task(self._keep_working(), name="copies")

    async def close(self) -> None:
        """End both."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._link.close()

    def counts(self) -> Mapping[str, int]:
        """Return what was counted since the start, by name."""
        names = ("hits", "misses", "unmarked", "refused_mark", *(f"refused_{reason}" for reason in REASONS))
        names += (
            "primes_sent",
            "primes_applied",
            "primes_begun",
            "primes_known",
            "primes_dropped",
            "primes_lost",
        )
        names += ("fills_sent", "fills_kept", "fills_begun", "fills_late", "fills_dropped", "fills_lost")
        return {f"redis_{name}": self._counts[name] for name in names} | {
            "redis_timeouts": self._link.timeouts,
            "redis_breaker_openings": self._link.openings,
            "redis_bytes_sent": self._link.bytes_sent,
            "redis_bytes_received": self._link.bytes_received,
        }

    async def find(self, wanted: Sequence[tuple[Scope, str]]) -> Found:
        """Return the copies that there are: one question, answered as of one moment of Redis."""
        form = self._format
        if form is None or not self.is_open:
            return _NOTHING
        scopes = list(dict.fromkeys(scope for scope, _ in wanted))
        keys = [form.mark_key(scope) for scope in scopes] + [form.key(*place) for place in wanted]
        try:
            reply = await self._link.ask("MGET", *keys)
        except (RedisAwayError, hiredis.ReplyError):
            reply = None
        if not isinstance(reply, list) or len(reply) != len(keys):
            self._counts["misses"] += len(wanted)
            return _NOTHING
        marks = {}
        for scope, data in zip(scopes, reply, strict=False):
            mark = form.read_mark(scope, data)
            if mark is not None:
                marks[scope] = mark
            elif data is not None:
                # Nobody would get past it; without one, the next commit or reading begins anew.
                self._counts["refused_mark"] += 1
                self._link.send("DEL", form.mark_key(scope), heard=lambda _: None)
        copies = {}
        for place, data in zip(wanted, reply[len(scopes) :], strict=True):
            found = self._open(form, marks.get(place[0]), place, data)
            if found is not None:
                copies[place] = found
        return Found({scope: mark.sequence for scope, mark in marks.items()}, copies)

    def prime(self, scope: Scope, before: int, after: int, versions: Sequence[Versioned]) -> None:
        """Keep what was committed between two places of the sequence."""
        for start, end, part in _parts(before, after, versions):
            self._enqueue(_Work(scope, start, end, part), "primes_dropped")

    def fill(self, scope: Scope, sequence: int, versions: Sequence[Versioned]) -> None:
        """Keep what the database showed when the sequence had come this far."""
        if not self._read:
            asyncio.get_running_loop().call_later(limits.copies_gap_ms / 1000, self._enqueue_fills)
        self._read.setdefault((scope, sequence), []).extend(versions)

    def _enqueue_fills(self) -> None:
        read, self._read = self._read, {}
        for (scope, sequence), versions in read.items():
            for start in range(0, len(versions), limits.copies_at_once_max):
                part = versions[start : start + limits.copies_at_once_max]
                self._enqueue(_Work(scope, None, sequence, part), "fills_dropped")

    def _open(
        self, form: CopyFormat, mark: Mark | None, place: tuple[Scope, str], data: Reply
    ) -> Versioned | None:
        if mark is None:
            self._counts["unmarked"] += 1
        elif data is None:
            self._counts["misses"] += 1
        else:
            try:
                found = form.unpack(mark, *place, data)
            except RefusedCopyError as refusal:
                self._counts[f"refused_{refusal.reason}"] += 1
            else:
                self._counts["hits"] += 1
                self._worth += (_WORTH_MAX - self._worth) >> _WORTH_SHIFT
                return found
        self._worth -= self._worth >> _WORTH_SHIFT
        return None

    def _enqueue(self, work: _Work, dropped: str) -> None:
        weight = _weigh(work)
        if not self.is_open or self._values_waiting + weight > limits.copies_waiting_max:
            self._counts[dropped] += 1
            return
        self._values_waiting += weight
        self._work.append(work)
        self._wake.set()

    async def _keep_working(self) -> None:
        while True:
            self._wake.clear()
            if not self._work:
                await self._wake.wait()
            # Who waits for the commit is answered first.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            sent = 0
            while self._work and sent < limits.copies_at_once_max:
                work = self._work.popleft()
                weight = _weigh(work)
                self._values_waiting -= weight
                sent += weight
                self._send(work)

    def _send(self, work: _Work) -> None:
        form = self._format
        name = "fill" if work.before is None else "prime"
        if form is None or not self.is_open:
            self._counts[f"{name}s_dropped"] += 1
            return
        # Of what changed twice, as it stands in the end.
        latest = {versioned.object.id: versioned for versioned in work.versions}
        keys, values = [form.mark_key(work.scope)], []
        for identifier, versioned in latest.items():
            keys.append(form.key(work.scope, identifier))
            # Of what is too large, or wanted by nobody, there is no copy: nor must an older one stay.
            copy = form.pack(work.scope, versioned) if self.wants(identifier) else b""
            values.append(copy if len(copy) <= limits.copy_bytes_max else b"")
        generation = self._clock.random_bytes(GENERATION_BYTES)
        if work.before is None:
            where = (work.sequence, limits.prime_patience_ms)
        else:
            where = (work.before, work.sequence)
        given = (*where, form.seal_mark(work.scope, work.sequence), generation, limits.copy_lifetime_ms)
        self._link.send(
            "EVALSHA", self._scripts[name], len(keys), *keys, *given, *values,
            heard=self._hear_fill if work.before is None else self._hear_prime,
        )  # fmt: skip
        self._counts[f"{name}s_sent"] += 1

    def _hear_prime(self, reply: Reply) -> None:
        self._hear(reply, {1: "primes_applied", 2: "primes_begun", 0: "primes_known"}, "primes_lost")

    def _hear_fill(self, reply: Reply) -> None:
        self._hear(reply, {1: "fills_kept", 2: "fills_begun", 0: "fills_late"}, "fills_lost")

    def _hear(self, reply: Reply, names: Mapping[int, str], lost: str) -> None:
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
            # Somebody flushed them. What was to be kept is lost, as the next commit will show.
            self._load_scripts()
        self._counts[names.get(reply, lost) if isinstance(reply, int) else lost] += 1

    def _load_scripts(self) -> None:
        for script in _SCRIPTS.values():
            self._link.send("SCRIPT", "LOAD", script, heard=lambda _: None)

    async def _greet(self) -> None:
        self._format = CopyFormat(await self._identify(), self._clock.random_bytes)
        self._scripts = {
            name: await self._link.ask("SCRIPT", "LOAD", script) for name, script in _SCRIPTS.items()
        }


def _is_sampled(identifier: str) -> bool:
    # Its last byte is as good as random.
    return identifier.endswith(_SAMPLED)


def _weigh(work: _Work) -> int:
    # A commit that changed nothing of which there are copies moves the mark all the same.
    return max(1, len(work.versions))


def _parts(
    before: int, after: int, versions: Sequence[Versioned]
) -> Iterator[tuple[int, int, Sequence[Versioned]]]:
    """Cut a large commit where nothing was under way in its sequence, so that no script runs for long."""
    start = 0
    for place in range(1, len(versions)):
        reached = versions[place - 1].sequence
        if place - start >= limits.copies_at_once_max and versions[place].sequence > reached:
            yield before, reached, versions[start:place]
            before, start = reached, place
    yield before, after, versions[start:]
