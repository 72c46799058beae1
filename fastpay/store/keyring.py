"""Authentication of API keys: from memory for a short time, then from the database again."""

import asyncio
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Credentials
from fastpay.errors import DatabaseUnavailable
from fastpay.store.key_lookups import KeyLookups, Landing
from fastpay.store.key_records import FoundKey
from fastpay.store.keys import hash_key, open_fingerprint_key
from fastpay.store.pool import Lender
from fastpay.store.sealing import Vault
from fastpay.store.signing_secrets import open_signers

_Name = TypeVar("_Name")
_Value = TypeVar("_Value")


class _Known(NamedTuple):
    """Credentials, until when they are valid by the monotonic clock, and the record that they were made of.

    `end` is when the next expiry changes them.
    """

    credentials: Credentials
    until_ns: int
    record: FoundKey
    end: datetime | None


class PostgresKeyRing:
    """Satisfies `KeyRing`. Caches keys for `cache_ms`, and absent keys for at most `negative_cache_ms`.

    So a revoked key or a removed signing secret can work for `cache_ms` and no longer. An expiry takes effect
    at its time. A key that was good is remembered for longer, but not trusted: it is looked up before unknown
    keys.
    """

    def __init__(self, pool: Lender, *, clock: Clock, cache_ms: int, vault: Vault | None = None) -> None:
        self._clock = clock
        self._vault = vault
        self._cache_ns = cache_ms * 1_000_000
        self._absent_ns = min(cache_ms, limits.negative_cache_ms) * 1_000_000
        self._lookups = KeyLookups(pool, clock=clock)
        # The oldest look-up comes first.
        self._known: dict[str, _Known] = {}
        # Until when an entry is valid. By digest, since an unknown key may be long.
        self._absent: dict[bytes, int] = {}
        self._asking: dict[str, asyncio.Future[Credentials | None]] = {}

    async def warm_up(self) -> None:
        """Make ready for the first key."""
        await self._lookups.warm_up()

    async def authenticate(self, key: str, *, client: str | None = None) -> Credentials | None:
        """Return the credentials of a key, or None if there is no such key. `client` is the sender's address.

        Raises: DatabaseUnavailable; RateLimited for an unknown key; SecretUnreadable if an operator must act.
        """
        known = self._known.get(key)
        if known is not None:
            left_ns = known.until_ns - self._clock.monotonic_ns()
            if left_ns > 0:
                if left_ns < self._cache_ns // 2:
                    # Refresh ahead, so that a key in use never waits for a look-up.
                    self._look_up(key, client, is_urgent=False)
                return known.credentials
        elif self._clock.monotonic_ns() < self._absent.get(hash_key(key), 0):
            return None
        answer = self._look_up(key, client)
        try:
            async with asyncio.timeout(limits.key_timeout_ms / 1000):
                return await asyncio.shield(answer)
        except TimeoutError as error:
            raise DatabaseUnavailable("The database cannot be reached right now. Try again.") from error

    def known(self, key: str) -> Credentials | None:
        """Return the credentials of a key that is cached, None if it has to be looked up now or soon."""
        known = self._known.get(key)
        if known is None or known.until_ns - self._clock.monotonic_ns() < self._cache_ns // 2:
            return None
        return known.credentials

    def believed_until_ns(self, key: str) -> int:
        """Return until when a cached key is valid, by the monotonic clock. 0 if it is not cached."""
        known = self._known.get(key)
        return 0 if known is None else known.until_ns

    def _look_up(
        self, key: str, client: str | None, *, is_urgent: bool = True
    ) -> "asyncio.Future[Credentials | None]":
        """Return a future with the result: one look-up, however many requests wait for it.

        Raises: RateLimited.
        """
        answer = self._asking.get(key)
        if answer is not None:
            if is_urgent:
                self._lookups.hurry()
        else:
            was_good = key in self._known
            landing = self._lookups.find(key, was_good=was_good, client=client, is_urgent=is_urgent)
            answer = self._asking[key] = asyncio.get_running_loop().create_future()
            landing.add_done_callback(lambda landed: self._landed(key, landed))
        return answer

    def _landed(self, key: str, landed: "asyncio.Future[Landing]") -> None:
        answer = self._asking.pop(key)
        try:
            credentials = self._keep(key, landed.result())
        except Exception as error:  # noqa: BLE001  whatever it is, it is for those who wait
            answer.set_exception(error)
            # Without a waiter the error is ignored; the next request looks the key up again.
            answer.exception()
        else:
            answer.set_result(credentials)

    def _keep(self, key: str, landing: Landing) -> Credentials | None:
        """Cache the result of a look-up and return its credentials."""
        now_ms = self._clock.now_ms()
        found, asked_ns = landing
        credentials, end = None, None
        known = self._known.get(key)
        if found is not None and found.revoked_at is None:
            now = datetime.fromtimestamp(now_ms / 1000, UTC)
            if known is not None and known.record == found and (known.end is None or now < known.end):
                # Most keys are as they were. To open their secrets again takes longer than the look-up.
                credentials, end = known.credentials, known.end
            else:
                credentials, end = self._open(found, now)
        # From when the statement was sent: a change while it runs must not be hidden for longer than that.
        until_ns = asked_ns + (self._absent_ns if credentials is None else self._cache_ns)
        if end is not None:
            until_ns = min(until_ns, asked_ns + (int(end.timestamp() * 1000) - now_ms) * 1_000_000)
        self._known.pop(key, None)
        digest = hash_key(key)
        self._absent.pop(digest, None)
        if credentials is None:
            _put(self._absent, digest, until_ns, limits.absent_keys_max)
        else:
            assert found is not None
            _put(self._known, key, _Known(credentials, until_ns, found, end), limits.known_keys_max)
        return credentials

    def _open(self, found: FoundKey, now: datetime) -> tuple[Credentials | None, datetime | None]:
        """Return the credentials of a key now, and when the next expiry changes them."""
        if found.expires_at is not None and found.expires_at <= now:
            return None, None
        signers, end = open_signers(found, self._vault, now)
        credentials = Credentials(
            scope=Scope(found.tenant_id.hex, found.livemode),
            kind=found.kind,
            fingerprint_key=open_fingerprint_key(found, self._vault),
            signers=signers,
            must_sign=found.signature_required,
            key_id=str(found.key_id),
        )
        return credentials, min((time for time in (found.expires_at, end) if time is not None), default=None)


def _put(kept: dict[_Name, _Value], name: _Name, value: _Value, count_max: int) -> None:
    """Add an entry; if there are too many, drop the one that was looked up longest ago."""
    if len(kept) >= count_max:
        del kept[next(iter(kept))]
    kept[name] = value
