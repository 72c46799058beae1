"""Idempotency keys that are bound to sides, several with one commit."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.rollout.bindings import Bindings, Key
from fastpay.engine.rollout.choice import Side
from fastpay.errors import DatabaseUnavailable, Overloaded

SCOPE = Scope("00" * 16, livemode=False)


class Store:
    """Keeps what it is asked until the test says how that ends, and remembers sides."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[list[tuple[Key, Side]]] = asyncio.Queue()
        self.ends: asyncio.Queue[Exception | None] = asyncio.Queue()
        self.sides: dict[Key, Side] = {}
        self.left_out: set[Key] = set()

    async def bind(self, wanted: Sequence[tuple[Key, Side]]) -> Mapping[Key, Side]:
        """Satisfy `KeyStore`."""
        self.asked.put_nowait(list(wanted))
        if (error := await self.ends.get()) is not None:
            raise error
        for key, side in wanted:
            self.sides.setdefault(key, side)
        return {key: self.sides[key] for key, _ in wanted if key not in self.left_out}


def key(number: int) -> Key:
    return SCOPE, bytes([number])


def bind(bindings: Bindings, number: int, side: Side = "legacy") -> asyncio.Task[Side]:
    return asyncio.ensure_future(bindings.bind(key(number), side))


async def test_keys_that_come_during_a_commit_share_the_next_one() -> None:
    store = Store()
    bindings = Bindings(store)
    first = bind(bindings, 0)
    assert await store.asked.get() == [(key(0), "legacy")]
    others = [bind(bindings, number) for number in range(1, 10)]
    await asyncio.sleep(0)
    assert not first.done()
    assert store.asked.empty()
    store.ends.put_nowait(None)
    assert await store.asked.get() == [(key(number), "legacy") for number in range(1, 10)]
    assert await first == "legacy"
    # Nobody goes on before the commit that has its key.
    assert not any(other.done() for other in others)
    store.ends.put_nowait(None)
    assert await asyncio.gather(*others) == ["legacy"] * 9


async def test_attempts_of_one_key_have_one_side() -> None:
    store = Store()
    bindings = Bindings(store)
    attempts = [bind(bindings, 1, side) for side in ("legacy", "fastpay", "fastpay")]
    assert await store.asked.get() == [(key(1), "legacy")]
    late = bind(bindings, 1, "fastpay")
    await asyncio.sleep(0)
    # A waiter that has left takes nothing from the others.
    attempts.pop().cancel()
    store.ends.put_nowait(None)
    store.ends.put_nowait(None)
    assert await asyncio.gather(*attempts, late) == ["legacy"] * 3


async def test_a_key_that_another_instance_was_binding_is_asked_for_again() -> None:
    store = Store()
    bindings = Bindings(store)
    store.sides[key(1)], store.left_out = "fastpay", {key(1)}
    one, two = bind(bindings, 1), bind(bindings, 2)
    await store.asked.get()
    store.ends.put_nowait(None)
    assert await two == "legacy"
    assert await store.asked.get() == [(key(1), "legacy")]
    store.left_out.clear()
    store.ends.put_nowait(None)
    assert await one == "fastpay"


async def test_an_outage_is_told_to_those_of_its_commit_only() -> None:
    store = Store()
    bindings = Bindings(store)
    first = bind(bindings, 1)
    await store.asked.get()
    second = bind(bindings, 2)
    await asyncio.sleep(0)
    store.ends.put_nowait(DatabaseUnavailable("away"))
    store.ends.put_nowait(None)
    with pytest.raises(DatabaseUnavailable):
        await first
    assert await second == "legacy"


async def test_how_many_wait_and_how_many_share_a_commit_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "rollout_binding_max", 3)
    monkeypatch.setattr(limits, "rollout_bound_keys_max", 2)
    store = Store()
    bindings = Bindings(store)
    bound = [bind(bindings, 0)]
    await store.asked.get()
    bound += [bind(bindings, number) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await bindings.bind(key(4), "legacy")
    for _ in range(3):
        store.ends.put_nowait(None)
    assert await asyncio.gather(*bound) == ["legacy"] * 4
    assert [len(store.asked.get_nowait()) for _ in range(2)] == [2, 1]
