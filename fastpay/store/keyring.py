"""API keys as requests find them: from memory for a moment, then from the database again."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import asyncpg

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Credentials
from fastpay.errors import DatabaseUnavailable
from fastpay.store.failures import LOST
from fastpay.store.keys import FoundKey, find_key, hash_key, open_fingerprint_key
from fastpay.store.sealing import Vault
from fastpay.store.signing_secrets import open_signers


class PostgresKeyRing:
    """Satisfies `KeyRing`. What was found is believed for `cache_ms`, and so is that nothing was found.

    So a revoked key may work for that long, and no longer, and so may a signing secret that was removed; what
    ends at a time ends then. The pool is the driver's, which has no types.
    """

    def __init__(self, pool: Any, *, clock: Clock, cache_ms: int, vault: Vault | None = None) -> None:
        self._pool = pool
        self._clock = clock
        self._vault = vault
        self._cache_ns = cache_ms * 1_000_000
        self._known: dict[str, tuple[Credentials | None, int]] = {}
        # Apart from the others, so that a flood of wrong keys makes nobody forget the right ones.
        self._missed: dict[str, tuple[Credentials | None, int]] = {}
        self._asking: dict[str, asyncio.Task[Credentials | None]] = {}

    async def authenticate(self, key: str) -> Credentials | None:
        """Return what the key stands for, None where it stands for nothing.

        Raises: DatabaseUnavailable; SecretUnreadable when the operator must act.
        """
        known = self._known.get(key) or self._missed.get(key)
        if known is not None:
            credentials, until_ns = known
            left_ns = until_ns - self._clock.monotonic_ns()
            if left_ns > 0:
                if left_ns < self._cache_ns // 2 and credentials is not None:
                    # In time, so that a key in use never makes anybody wait.
                    self._start_asking(key)
                return credentials
        return await asyncio.shield(self._start_asking(key))

    def _start_asking(self, key: str) -> "asyncio.Task[Credentials | None]":
        """Return the task that asks the database: one, however many requests want to know."""
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key), name="look a key up")
            asking.add_done_callback(lambda ended: self._end_asking(key, ended))
        return asking

    def _end_asking(self, key: str, asking: "asyncio.Task[Credentials | None]") -> None:
        self._asking.pop(key, None)
        if not asking.cancelled():
            # Where nobody waits for it, nobody hears of its fault: whoever waits next asks again.
            asking.exception()

    def believed_until_ns(self, key: str) -> int:
        """Return until when, by the monotonic clock, the last answer for this key is good; 0 for none."""
        known = self._known.get(key) or self._missed.get(key)
        return 0 if known is None else known[1]

    async def _ask(self, key: str) -> Credentials | None:
        asked_ns = self._clock.monotonic_ns()
        try:
            async with asyncio.timeout(limits.read_wait_timeout_ms / 1000):
                found = await find_key(self._pool, hash_key(key))
        except (*LOST, asyncpg.PostgresError) as error:
            raise DatabaseUnavailable("The database cannot be reached right now. Try again.") from error
        now_ms = self._clock.now_ms()
        credentials, end = None, None
        if found is not None and found.revoked_at is None:
            credentials, end = self._open(found, datetime.fromtimestamp(now_ms / 1000, UTC))
        left_ms = self._cache_ns // 1_000_000
        if end is not None:
            left_ms = min(left_ms, int(end.timestamp() * 1000) - now_ms)
        # From the question on: what changes while the answer is on its way is not known any longer than that.
        until_ns = asked_ns + left_ms * 1_000_000
        kept, other = (self._missed, self._known) if credentials is None else (self._known, self._missed)
        other.pop(key, None)
        if len(kept) >= limits.known_keys_max:
            kept.clear()
        kept[key] = (credentials, until_ns)
        return credentials

    def _open(self, found: FoundKey, now: datetime) -> tuple[Credentials | None, datetime | None]:
        """Return what a key stands for now, and when that changes by itself."""
        if found.expires_at is not None and found.expires_at <= now:
            return None, None
        signers, end = open_signers(found, self._vault, now)
        credentials = Credentials(
            scope=Scope(found.tenant_id.hex, found.livemode),
            kind=found.kind,
            fingerprint_key=open_fingerprint_key(found, self._vault),
            signers=signers,
            must_sign=found.signature_required,
        )
        return credentials, min((time for time in (found.expires_at, end) if time is not None), default=None)
