"""Copies and marks in a real Redis that are not what was put there: refused, each for its own reason."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from fastpay.clock import SystemClock
from fastpay.store import rows
from fastpay.store.copy_format import CopyFormat, Incarnation, _Payload, _place
from tests.store.sharing import counted, form_of, prove, prove_again, settled, sharing, shown
from tests.store.test_reader import count_reads, make_customers, rename
from tests.support.engine import make_tenant

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("trusted_redis")]

CLOCK = SystemClock()


Tampering = Callable[[bytes, bytes, Callable[..., bytes]], bytes]


def at(place: int) -> Tampering:
    """Return what turns one bit of a copy round."""

    def turn(copy: bytes, _: bytes, __: Callable[..., bytes]) -> bytes:
        place_in = place % len(copy)
        return copy[:place_in] + bytes([copy[place_in] ^ 1]) + copy[place_in + 1 :]

    return turn


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        pytest.param(lambda *_: b"", "generation", id="nothing"),
        pytest.param(lambda copy, *_: copy[:20], "seal", id="cut short"),
        pytest.param(lambda copy, *_: copy[:-1], "seal", id="one byte too few"),
        pytest.param(lambda copy, *_: copy + b"\0", "seal", id="one byte too many"),
        pytest.param(at(0), "generation", id="generation"),
        pytest.param(at(12), "seal", id="nonce"),
        pytest.param(at(20), "seal", id="version"),
        pytest.param(at(-30), "seal", id="snapshot"),
        pytest.param(at(-1), "seal", id="tag"),
        pytest.param(lambda copy, other, _: copy[:8] + other[8:], "seal", id="another object's"),
        pytest.param(lambda copy, other, _: copy[:20] + other[20:], "seal", id="another object's, own nonce"),
        pytest.param(
            lambda copy, _, seal: copy[:8] + seal(tenant_id="f" * 32), "seal", id="another tenant's"
        ),
        pytest.param(lambda copy, _, seal: copy[:8] + seal(livemode=True), "seal", id="another mode's"),
        pytest.param(lambda copy, _, seal: copy[:8] + seal(snapshot=b"\x91\x01"), "format", id="no snapshot"),
    ],
)
async def test_a_copy_that_is_not_what_was_put_there_is_refused(
    database_url: str, redis_url: str, cache: "redis.Redis", tamper: Tampering, reason: str
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        customer, second = await make_customers(one, scope, 2)
        found = await one.reader.get(scope, customer)
        assert found is not None
        await settled(one)
        form = form_of(one)
        keys = [form.key(scope, name) for name in (customer, second)]
        copy, others = (cache.get(key) for key in keys)
        assert isinstance(copy, bytes)
        assert isinstance(others, bytes)

        def seal(snapshot: bytes | None = None, **moved: Any) -> bytes:
            payload = rows._ENCODER.encode(_Payload(1, 1, snapshot or rows.encode(found.object)))
            nonce, place = form._next_nonce(), _place(scope._replace(**moved), customer)
            return nonce + form._cipher.encrypt(nonce, payload, place)

        cache.set(keys[0], tamper(copy, others, seal))
        await prove(other, scope)
        statements = count_reads(other)
        assert await shown(other, scope, customer) == "name 0"
        assert statements == [1]
        assert counted(other, f"refused_{reason}") == 1
        # What was read takes the place of what was planted.
        await settled(other)
        mark = form.read_mark(scope, cache.get(form.mark_key(scope)))
        kept = cache.get(keys[0])
        assert mark is not None
        assert isinstance(kept, bytes)
        assert form.unpack(mark, scope, customer, kept) == found


async def test_what_is_sealed_for_the_test_is_believed_where_nothing_is_wrong_with_it(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    """Else the tests above would have copies refused that no seal of theirs could save."""
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        await settled(one)
        form = form_of(one)
        copy = cache.get(form.key(scope, customer))
        assert isinstance(copy, bytes)
        found = await one.reader.get(scope, customer)
        assert found is not None
        cache.set(form.key(scope, customer), copy[:8] + form.pack(scope, found))
        await prove(other, scope)
        assert await shown(other, scope, customer) == "name 0"
        assert counted(other, "hits") == 1


async def test_nothing_that_another_database_has_sealed_is_believed(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one:
        identity = await one.reads.identify()
        before = form_of(one)
        after = CopyFormat(Incarnation(identity.seal_key, identity.identity + b"0"), CLOCK.random_bytes)
        (customer,) = await make_customers(one, scope, 1)
        found = await one.reader.get(scope, customer)
        assert found is not None
        assert before.key(scope, customer) != after.key(scope, customer)
        assert before.mark_key(scope) != after.mark_key(scope)
        snapshot = found
        assert before.pack(scope, snapshot) != after.pack(scope, snapshot)


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(lambda _: b"", id="nothing"),
        pytest.param(lambda mark: mark[:-1], id="one byte too few"),
        pytest.param(lambda mark: mark + b"0", id="one byte too many"),
        pytest.param(lambda mark: mark[:24] + b"%016d" % (int(mark[24:40]) + 7) + mark[40:], id="too far"),
        pytest.param(lambda mark: mark[:24] + b"x" * 16 + mark[40:], id="no number"),
        pytest.param(lambda mark: mark[:-1] + bytes([mark[-1] ^ 1]), id="seal"),
    ],
)
async def test_a_mark_that_is_none_is_as_good_as_none(
    database_url: str, redis_url: str, cache: "redis.Redis", tamper: Callable[[bytes], bytes]
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        await settled(one)
        key = form_of(one).mark_key(scope)
        mark = cache.get(key)
        assert isinstance(mark, bytes)
        cache.set(key, tamper(mark))
        await prove(other, scope)
        assert await shown(other, scope, customer) == "name 0"
        assert counted(other, "hits") == 0
        assert counted(other, "refused_mark") == 1
        await settled(other)
        # Whatever it said, it keeps nobody from going on.
        await rename(one, scope, customer, "new")
        await settled(one)
        await prove_again(other, scope)
        assert await shown(other, scope, customer) == "new"
        assert counted(other, "hits") == 1


async def test_another_tenants_mark_vouches_for_nothing(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scopes = [await make_tenant(database_url, name) for name in ("one", "other")]
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        made = [(await make_customers(one, scope, 1))[0] for scope in scopes]
        await settled(one)
        form = form_of(one)
        mark = cache.get(form.mark_key(scopes[1]))
        copy = cache.get(form.key(scopes[0], made[0]))
        assert isinstance(mark, bytes)
        assert isinstance(copy, bytes)
        # Even where it names the generation of the copies.
        cache.set(form.mark_key(scopes[0]), copy[:8] + mark[8:])
        await prove(other, scopes[0])
        assert await shown(other, scopes[0], made[0]) == "name 0"
        assert counted(other, "refused_mark") == 1
