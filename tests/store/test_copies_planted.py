"""Copies in a real Redis that are not what was put there: refused, each for its own reason."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import redis

from fastpay.clock import SystemClock
from fastpay.engine.read.copy_ports import Copy
from fastpay.store import rows
from fastpay.store.copy_format import CopyFormat, Incarnation, RefusedCopyError, _associated_data, _Payload
from tests.store.sharing import counted, form_of, prove, settled, share, sharing, shown
from tests.store.test_reader import count_reads, make_customers
from tests.support.engine import make_tenant

pytestmark = pytest.mark.usefixtures("trusted_redis")

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
        pytest.param(lambda *_: b"", "seal", id="nothing"),
        pytest.param(lambda copy, *_: copy[:12], "seal", id="cut short"),
        pytest.param(lambda copy, *_: copy[:-1], "seal", id="one byte too few"),
        pytest.param(lambda copy, *_: copy + b"\0", "seal", id="one byte too many"),
        pytest.param(at(0), "seal", id="nonce"),
        pytest.param(at(13), "seal", id="version"),
        pytest.param(at(15), "seal", id="sequence"),
        pytest.param(at(-30), "seal", id="snapshot"),
        pytest.param(at(-1), "seal", id="tag"),
        pytest.param(lambda _, other, __: other, "seal", id="another object's"),
        pytest.param(lambda copy, other, _: copy[:12] + other[12:], "seal", id="another object's, own nonce"),
        pytest.param(lambda _, __, seal: seal(tenant_id="f" * 32), "seal", id="another tenant's"),
        pytest.param(lambda _, __, seal: seal(livemode=True), "seal", id="another mode's"),
        pytest.param(lambda _, __, seal: seal(snapshot=b"\x91\x01"), "format", id="no snapshot"),
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
        await share(one, scope, customer, second)
        form = form_of(one)
        keys = [form.key(scope, name) for name in (customer, second)]
        copy, others = (cache.get(key) for key in keys)
        assert isinstance(copy, bytes)
        assert isinstance(others, bytes)

        def seal(snapshot: bytes | None = None, **moved: Any) -> bytes:
            payload = msgspec.msgpack.encode(_Payload(1, 1, 1_000, snapshot or rows.encode(found.object)))
            nonce, data = form._next_nonce(), _associated_data(scope._replace(**moved), customer)
            return nonce + form._cipher.encrypt(nonce, payload, data)

        cache.set(keys[0], tamper(copy, others, seal))
        await prove(other, scope)
        statements = count_reads(other)
        assert await shown(other, scope, customer) == "name 0"
        assert statements == [1]
        assert counted(other, f"refused_{reason}") == 1
        # What was read takes the place of what was planted.
        await settled(other)
        kept = cache.get(keys[0])
        assert isinstance(kept, bytes)
        assert form.unpack(scope, customer, kept).versioned == found


async def test_what_is_sealed_for_the_test_is_believed_where_nothing_is_wrong_with_it(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    """Else the tests above would have copies refused that no seal of theirs could save."""
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        found = await one.reader.get(scope, customer)
        assert found is not None
        form = form_of(one)
        cache.set(form.key(scope, customer), form.pack(scope, Copy(found, 1)))
        await prove(other, scope)
        assert await shown(other, scope, customer) == "name 0"
        assert counted(other, "hits") == other.reader.counts()["reads_copies_shown"] == 1


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
        with pytest.raises(RefusedCopyError, match="seal"):
            after.unpack(scope, customer, before.pack(scope, Copy(found, 1)))
