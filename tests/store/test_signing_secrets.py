"""Signing secrets in a real database: made, rolled, required, sealed anew, and as the key ring has them."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from fastpay import limits
from fastpay._native import signature
from fastpay.engine.ports import Credentials
from fastpay.errors import InvalidRequest, NotFound
from fastpay.signing import sign_request
from fastpay.store import keys, resealing, signing_secrets
from fastpay.store.connections import connected
from fastpay.store.key_records import KeyName
from fastpay.store.keyring import PostgresKeyRing
from fastpay.store.sealing import Binding, SecretUnreadable, Vault, make_key
from tests.store.test_keyring import CACHE_MS, HandClock
from tests.support.engine import CLOCK, OneConnection

OLD, NEW = make_key(CLOCK), make_key(CLOCK)
VAULT = Vault([OLD], clock=CLOCK)
BOTH = Vault([NEW, OLD], clock=CLOCK)


class World:
    """A tenant with a key, seen by an operator and through a key ring with a clock that is moved by hand."""

    def __init__(self, connection: Any, tenant_id: uuid.UUID, made: keys.NewKey) -> None:
        self.connection = connection
        self.clock = HandClock()
        self.made = made
        self.name = KeyName(tenant_id, False, made.key_id)
        self.ring = PostgresKeyRing(
            OneConnection(connection), clock=self.clock, cache_ms=CACHE_MS, vault=VAULT
        )

    async def create(self) -> str:
        return await signing_secrets.create_secret(self.connection, self.name, vault=VAULT, clock=self.clock)

    async def roll(self, **overlap: int) -> str:
        return await signing_secrets.roll_secret(
            self.connection, self.name, vault=VAULT, clock=self.clock, overlap=timedelta(**overlap)
        )

    async def require(self, required: bool) -> None:
        await signing_secrets.require_signatures(
            self.connection, self.name, required=required, clock=self.clock
        )

    async def remove(self) -> int:
        return await signing_secrets.remove_secrets(self.connection, self.name, clock=self.clock)

    async def credentials(self, key: str | None = None) -> Credentials:
        found = await self.ring.authenticate(key or self.made.key)
        assert found is not None
        return found

    async def good(self, *secrets: str, key: str | None = None) -> list[bool]:
        """Tell which of these secrets the key ring takes now."""
        signers = (await self.credentials(key)).signers
        found = []
        for secret in secrets:
            header = sign_request(secret, "GET", "/", timestamp=1)
            found.append(signature.verify_request(signers, header.encode(), "GET", b"/", b"", 1) == 1)
        return found


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with connected(database_url) as connection:
        tenant_id = await keys.create_tenant(connection, "shop", clock=CLOCK, vault=VAULT)
        made = await keys.create_key(connection, tenant_id, livemode=False, clock=CLOCK)
        yield World(connection, tenant_id, made)


async def test_a_secret_is_made_once_and_never_lies_in_plain(world: World) -> None:
    secret = await world.create()
    assert secret.startswith("fpss_")
    assert len(secret) == 47
    rows = await world.connection.fetch("select signing_secret::text, sealed from signing_secret")
    assert secret not in rows[0][0]
    assert secret.encode() not in rows[0]["sealed"]
    assert await world.good(secret) == [True]
    with pytest.raises(InvalidRequest, match="Roll it"):
        await world.create()


async def test_a_publishable_key_cannot_sign(world: World) -> None:
    made = await keys.create_key(
        world.connection, world.name.tenant_id, livemode=False, clock=CLOCK, kind="publishable"
    )
    name = KeyName(world.name.tenant_id, False, made.key_id)
    with pytest.raises(InvalidRequest, match="browsers"):
        await signing_secrets.create_secret(world.connection, name, vault=VAULT, clock=CLOCK)


@pytest.mark.parametrize("other", ["tenant", "mode", "key"])
async def test_the_keys_of_others_are_out_of_reach(world: World, other: str) -> None:
    name = world.name
    match other:
        case "tenant":
            tenant_id = await keys.create_tenant(world.connection, "other", clock=CLOCK)
            name = KeyName(tenant_id, False, name.key_id)
        case "mode":
            name = KeyName(name.tenant_id, True, name.key_id)
        case _:
            name = KeyName(name.tenant_id, False, uuid.uuid4())
    world.name = name
    for act in (world.create(), world.roll(), world.remove(), world.require(False)):
        with pytest.raises(NotFound):
            await act


async def test_a_rolled_secret_is_good_for_its_overlap_and_not_a_moment_longer(world: World) -> None:
    first = await world.create()
    assert await world.good(first) == [True]
    world.clock.moved_ms = CACHE_MS
    second = await world.roll(milliseconds=CACHE_MS // 2)
    assert await world.good(first, second) == [True, True]
    world.clock.moved_ms = CACHE_MS + CACHE_MS // 2 - 1
    assert await world.good(first, second) == [True, True]
    world.clock.moved_ms = CACHE_MS + CACHE_MS // 2
    assert await world.good(first, second) == [False, True]
    third = await world.roll()
    world.clock.moved_ms += CACHE_MS
    assert await world.good(first, second, third) == [False, False, True]
    # Those that have ended are forgotten when the next one is made.
    assert await world.connection.fetchval("select count(*) from signing_secret") == 1


async def test_an_overlap_never_lengthens_a_secrets_life(world: World) -> None:
    first = await world.create()
    await world.roll(seconds=1)
    await world.roll(hours=5)
    world.clock.moved_ms = 1_000
    assert await world.good(first) == [False]


async def test_no_more_secrets_are_good_at_a_time_than_allowed(world: World) -> None:
    made = [await world.create()]
    for _ in range(limits.signing_secrets_max - 1):
        made.append(await world.roll(hours=1))
    assert await world.good(*made) == [True] * limits.signing_secrets_max
    with pytest.raises(InvalidRequest, match="which is the maximum"):
        await world.roll(hours=1)
    made.append(await world.roll())
    world.clock.moved_ms = CACHE_MS
    assert await world.good(*made) == [False] * limits.signing_secrets_max + [True]


async def test_rolls_at_the_same_time_take_turns(world: World, database_url: str) -> None:
    await world.create()

    async def roll() -> str:
        async with connected(database_url) as connection:
            return await signing_secrets.roll_secret(
                connection, world.name, vault=VAULT, clock=CLOCK, overlap=timedelta(0)
            )

    made = await asyncio.gather(*(roll() for _ in range(5)))
    assert len(set(made)) == 5
    newest = await world.connection.fetchval("select count(*) from signing_secret where expires_at is null")
    assert newest == 1


async def test_requiring_needs_a_secret_and_keeps_it(world: World) -> None:
    with pytest.raises(InvalidRequest, match="Create one first"):
        await world.require(True)
    secret = await world.create()
    assert not (await world.credentials()).must_sign
    await world.require(True)
    world.clock.moved_ms = CACHE_MS
    assert (await world.credentials()).must_sign
    with pytest.raises(InvalidRequest, match="Stop requiring"):
        await world.remove()
    await world.require(False)
    assert await world.remove() == 1
    world.clock.moved_ms = 2 * CACHE_MS
    assert await world.good(secret) == [False]
    assert not (await world.credentials()).must_sign


async def test_a_rolled_api_key_signs_as_the_old_one_does(world: World) -> None:
    first = await world.create()
    second = await world.roll(hours=1)
    await world.require(True)
    at = (world.connection, world.name.tenant_id, world.made.key_id)
    with pytest.raises(InvalidRequest, match="without the sealing keys"):
        await keys.roll_key(*at, livemode=False, clock=world.clock)
    rolled = await keys.roll_key(
        *at, livemode=False, clock=world.clock, vault=VAULT, overlap=timedelta(hours=1)
    )
    for key in (world.made.key, rolled.key):
        assert await world.good(first, second, "another", key=key) == [True, True, False]
        assert (await world.credentials(key)).must_sign
    world.clock.moved_ms = 3_600_000
    assert await world.good(first, second, key=rolled.key) == [False, True]


async def test_a_revoked_key_cannot_be_changed(world: World) -> None:
    await world.create()
    at = (world.connection, world.name.tenant_id, world.made.key_id)
    await keys.revoke_key(*at, livemode=False, clock=world.clock)
    for act in (world.roll(), world.remove(), world.require(True)):
        with pytest.raises(NotFound):
            await act


async def test_a_list_says_who_signs(world: World) -> None:
    async def signing() -> list[str]:
        listed = await keys.list_keys(
            world.connection, world.name.tenant_id, livemode=False, clock=world.clock
        )
        return [key.signing() for key in listed]

    assert await signing() == [""]
    await world.create()
    assert await signing() == ["can"]
    await world.roll(hours=1)
    await world.require(True)
    assert await signing() == ["must, 2 secrets"]
    world.clock.moved_ms = 3_600_000
    assert await signing() == ["must"]


async def test_an_empty_secret_signs_nothing(world: World) -> None:
    await world.create()
    sealed = VAULT.seal(b"", world.name.binding())
    # The database itself takes nothing that short.
    with pytest.raises(asyncpg.CheckViolationError):
        await world.connection.execute("update signing_secret set sealed = $1", sealed.content)
    await world.connection.execute("alter table signing_secret drop constraint signing_secret_sealed_length")
    await world.connection.execute("update signing_secret set sealed = $1", sealed.content)
    assert (await world.credentials()).signers == ()


async def test_a_secret_moved_to_another_key_or_tenant_opens_nothing(world: World) -> None:
    await world.create()
    made = await keys.create_key(world.connection, world.name.tenant_id, livemode=False, clock=CLOCK)
    await world.connection.execute("update signing_secret set key_id = $1", made.key_id)
    with pytest.raises(SecretUnreadable):
        await world.credentials(made.key)
    other = await keys.create_tenant(world.connection, "other", clock=CLOCK, vault=VAULT)
    content = await world.connection.fetchval("select sealed_fingerprint_key from tenant where name = 'shop'")
    change = "update tenant set sealed_fingerprint_key = $1 where tenant_id = $2"
    await world.connection.execute(change, content, other)
    stolen = await keys.create_key(world.connection, other, livemode=False, clock=CLOCK)
    with pytest.raises(SecretUnreadable):
        await world.credentials(stolen.key)


async def test_credentials_show_no_secret(world: World) -> None:
    secret = await world.create()
    found = await world.credentials()
    shown = repr(found) + repr(found.signers) + repr(await keys.find_key(world.connection, b"\0" * 32))
    assert secret not in shown
    row = await keys.find_key(world.connection, keys.hash_key(world.made.key))
    assert row is not None
    assert len(row.secrets_sealed) > 0
    assert repr(row.secrets_sealed[0]) not in repr(row)


async def test_everything_gets_to_the_newest_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "sealing_rows_max", 2)
    secret = await world.create()
    fingerprint_key = (await world.credentials()).fingerprint_key
    for number in range(5):
        await keys.create_tenant(world.connection, f"plain {number}", clock=CLOCK)
        made = await keys.create_key(world.connection, world.name.tenant_id, livemode=True, clock=CLOCK)
        name = KeyName(world.name.tenant_id, True, made.key_id)
        await signing_secrets.create_secret(world.connection, name, vault=VAULT, clock=CLOCK)
    signing = {("signing", OLD.key_id): 6}
    assert await _stocks(world) == {("fingerprint", OLD.key_id): 1, ("fingerprint", None): 5} | signing
    assert await resealing.reseal(world.connection, VAULT, only_plain=True) == 5
    assert await _stocks(world) == {("fingerprint", OLD.key_id): 6} | signing
    assert await resealing.reseal(world.connection, BOTH) == 12
    assert await resealing.reseal(world.connection, BOTH) == 0
    assert await _stocks(world) == {("fingerprint", NEW.key_id): 6, ("signing", NEW.key_id): 6}
    world.ring = PostgresKeyRing(
        OneConnection(world.connection), clock=world.clock, cache_ms=CACHE_MS, vault=Vault([NEW], clock=CLOCK)
    )
    assert await world.good(secret) == [True]
    assert (await world.credentials()).fingerprint_key == fingerprint_key


async def test_what_was_cut_short_goes_on_and_two_at_a_time_do_no_harm(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "sealing_rows_max", 3)
    for number in range(20):
        await keys.create_tenant(world.connection, f"plain {number}", clock=CLOCK)
    left = [7]
    cut = Vault([NEW, OLD], clock=CLOCK)
    seal = cut.seal

    def seal_a_few(secret: bytes, binding: Binding) -> Any:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return seal(secret, binding)

    monkeypatch.setattr(cut, "seal", seal_a_few)
    with pytest.raises(KeyboardInterrupt):
        await resealing.reseal(world.connection, cut)
    assert (await _stocks(world))["fingerprint", NEW.key_id] == 7

    async def reseal() -> int:
        async with connected(database_url) as connection:
            return await resealing.reseal(connection, BOTH)

    assert sum(await asyncio.gather(*(reseal() for _ in range(3)))) == 14
    assert await _stocks(world) == {("fingerprint", NEW.key_id): 21}


async def test_a_secret_that_cannot_be_opened_stops_resealing_and_is_let_be(world: World) -> None:
    await world.create()
    before = await world.connection.fetchrow("select * from signing_secret")
    with pytest.raises(SecretUnreadable):
        await resealing.reseal(world.connection, Vault([NEW], clock=CLOCK))
    assert await world.connection.fetchrow("select * from signing_secret") == before


async def _stocks(world: World) -> dict[tuple[str, str | None], int]:
    return {(stock.purpose, stock.under): stock.secrets for stock in await resealing.survey(world.connection)}


@pytest.mark.parametrize(
    ("constraint", "statement"),
    [
        (
            "tenant_fingerprint_key_once",
            "update tenant set fingerprint_key = decode(repeat('00', 32), 'hex')",
        ),
        ("tenant_sealed_under_known", "update tenant set sealed_under = null"),
        ("tenant_sealed_under_length", "update tenant set sealed_under = 'x'"),
        ("api_key_signature_secret_only", "update api_key set kind = 'publishable'"),
        ("signing_secret_sealed_length", "update signing_secret set sealed = ''"),
        ("signing_secret_sealed_under_length", "update signing_secret set sealed_under = ''"),
        ("signing_secret_key_fkey", "update signing_secret set livemode = true"),
        ("signing_secret_newest", "update signing_secret set expires_at = null"),
        (
            "signing_secret_pkey",
            "update signing_secret set secret_id = '00000000-0000-4000-8000-000000000000'",
        ),
    ],
)
async def test_the_database_itself_refuses(world: World, constraint: str, statement: str) -> None:
    await world.create()
    await world.roll(hours=1)
    await world.require(True)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as caught:
        await world.connection.execute(statement)
    assert caught.value.constraint_name == constraint
