"""A cache in Redis that instances share: plain cache-aside.

An instance that reads an object from PostgreSQL puts a copy into Redis, together with the tenant's sequence
in the same snapshot. Other instances that miss the object look there first. Nothing is written when objects
change: the sequence in a copy tells the reader how old it is (`engine/read/freshness.py`), and a copy that is
too old is ignored until the next read from PostgreSQL replaces it. So it does not matter what Redis loses,
delays, evicts or brings back: an old copy says itself that it is old.

Copies are encrypted and authenticated (`store/copy_format.py`). Whoever reads Redis learns no more of an
object than its identifier and size, and whoever writes to it can neither change a copy nor make one up.

If few copies can be shown, looking for them and keeping them costs more than it saves. A copy that is too old
is as useless as none, and those of a tenant that writes every second are too old. Then both are done for one
object in 64 only, the same ones on every instance, until more copies can be shown.

Nothing waits for a copy to be kept; what cannot be sent is dropped and counted.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

import hiredis

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.engine.dependency_ports import Part
from fastpay.engine.read.copy_ports import Copy
from fastpay.store.copy_format import REASONS, CopyFormat, Incarnation, RefusedCopyError
from fastpay.store.redis_link import RedisAwayError, RedisClient, Reply

# What is left of the average after one more object was looked for.
_WORTH_KEPT = 1 - 1 / 32
_SAMPLED = ("00", "40", "80", "c0")
_COUNTS = ("hits", "misses", *(f"refused_{reason}" for reason in REASONS))
_COUNTS += ("copies_sent", "copies_kept", "copies_dropped", "copies_lost")


class RedisCopies(RedisClient):
    """Satisfies `CopyStore`. `identify` asks the database for its identity, on each connection to Redis."""

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
        super().__init__(redis_url, part=part)
        self._format: CopyFormat | None = None
        # Copies to be kept. They are sent together, a moment after the first.
        self._waiting: deque[tuple[Scope, Copy]] = deque()
        # A moving average: the share of objects looked for whose copy could be shown.
        self._worth = 1.0
        self._counts = Counter[str]()

    def wants(self, identifier: str) -> bool:
        """Tell whether it pays to look for this object now, and to keep a copy of it."""
        return self._link.is_open and (self._worth >= limits.copies_worth_min or _is_sampled(identifier))

    def judge(self, *, looked_for: int, shown: int) -> None:
        """Note how many objects were looked for, and how many of their copies could be shown."""
        kept = _WORTH_KEPT**looked_for
        self._worth = self._worth * kept + shown / looked_for * (1 - kept)

    def counts(self) -> Mapping[str, int]:
        """Return what was counted since the start, by name."""
        return {f"redis_{name}": self._counts[name] for name in _COUNTS} | {
            "redis_timeouts": self._link.timeouts,
            "redis_breaker_openings": self._link.openings,
            "redis_bytes_sent": self._link.bytes_sent,
            "redis_bytes_received": self._link.bytes_received,
        }

    async def find(self, wanted: Sequence[tuple[Scope, str]]) -> Mapping[tuple[Scope, str], Copy]:
        """Return the copies that there are. All are asked for in one command."""
        form = self._format
        if form is None or not self.is_open:
            return {}
        try:
            reply = await self._link.ask("MGET", *(form.key(*one) for one in wanted))
        except (RedisAwayError, hiredis.ReplyError):
            reply = None
        if not isinstance(reply, list) or len(reply) != len(wanted):
            self._counts["misses"] += len(wanted)
            return {}
        copies = {}
        for (scope, identifier), data in zip(wanted, reply, strict=True):
            copy = self._open(form, scope, identifier, data)
            if copy is not None:
                copies[scope, identifier] = copy
        return copies

    def keep(self, scope: Scope, sequence: int, versions: Sequence[Versioned]) -> None:
        """Keep what one snapshot of PostgreSQL showed, with the tenant's sequence in it."""
        if not self.is_open or len(self._waiting) + len(versions) > limits.copies_waiting_max:
            self._counts["copies_dropped"] += len(versions)
            return
        if not self._waiting:
            asyncio.get_running_loop().call_later(limits.copies_gap_ms / 1000, self._send_waiting)
        self._waiting.extend((scope, Copy(versioned, sequence)) for versioned in versions)

    def _open(self, form: CopyFormat, scope: Scope, identifier: str, data: Reply) -> Copy | None:
        if not isinstance(data, bytes):
            self._counts["misses"] += 1
        else:
            try:
                copy = form.unpack(scope, identifier, data)
            except RefusedCopyError as refusal:
                self._counts[f"refused_{refusal.reason}"] += 1
            else:
                self._counts["hits"] += 1
                return copy
        return None

    def _send_waiting(self) -> None:
        """Send some of the copies that wait, and come again in the next turn of the loop for the others."""
        for _ in range(min(len(self._waiting), limits.copies_at_once_max)):
            self._send(*self._waiting.popleft())
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._send_waiting)

    def _send(self, scope: Scope, copy: Copy) -> None:
        form = self._format
        data = form.pack(scope, copy) if form is not None and self.is_open else b""
        if form is None or not 0 < len(data) <= limits.copy_bytes_max:
            self._counts["copies_dropped"] += 1
            return
        key = form.key(scope, copy.versioned.object.id)
        self._link.send("SET", key, data, "PX", limits.copy_lifetime_ms, heard=self._hear)
        self._counts["copies_sent"] += 1

    def _hear(self, reply: Reply) -> None:
        self._counts["copies_kept" if reply == b"OK" else "copies_lost"] += 1

    async def _greet(self) -> None:
        self._format = CopyFormat(await self._identify(), self._clock.random_bytes)
        await super()._greet()


def _is_sampled(identifier: str) -> bool:
    # The last byte of an identifier is as good as random.
    return identifier.endswith(_SAMPLED)
