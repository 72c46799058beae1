"""Signatures that leave the idempotency key open: each is good for the key that it came with first."""

import asyncio

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.plan import Command
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.ports import Outcome, Submission
from tests.support.memory import MemoryStore, check_books, submission
from tests.unit.engine.write.test_writer import running

JOIN = CreateCustomer(fields={"name": "Ada"})
# Refused by the domain, which moves no sequence.
REFUSED = CreateRefund(payment_intent="pi_" + "0" * 32, amount=1)
SIGNED = "ab" * 32


@pytest.fixture(params=[0, limits.keys_doubted_ms], ids=["trusting", "doubting"], autouse=True)
def doubts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take keys that this writer does not know for new, or look them up."""
    monkeypatch.setattr(limits, "keys_doubted_ms", request.param)


def signed(key: str | None, command: Command = JOIN, *, name: str = SIGNED) -> Submission:
    return msgspec.structs.replace(submission(command, key=key), signed=name)


def told(outcome: Outcome) -> str:
    if outcome.is_signature_spent:
        return "spent"
    return "new" if outcome.original_request_id is None else "replay"


def customers(store: MemoryStore) -> int:
    return store.state.books[submission(JOIN).scope].sequence


@pytest.mark.parametrize("own", ["own", None])
async def test_one_batch_takes_a_signature_for_one_key(own: str | None) -> None:
    store = MemoryStore()
    async with running(store) as writer:
        keys = [own, own, "invented", None, "invented", own]
        outcomes = await asyncio.gather(*(writer.submit(signed(key)) for key in keys))
    again = "spent" if own is None else "replay"
    assert [told(outcome) for outcome in outcomes] == ["new", again, "spent", "spent", "spent", again]
    assert customers(store) == 1
    check_books(store)


@pytest.mark.parametrize("own", ["own", None])
@pytest.mark.parametrize("command", [JOIN, REFUSED])
async def test_another_instance_takes_it_for_the_same_key_only(own: str | None, command: Command) -> None:
    store = MemoryStore()
    async with running(store) as one:
        await one.submit(signed(own, command))
    before = customers(store)
    for invented in ("invented", None, own):
        async with running(store) as other:
            outcome = await other.submit(signed(invented, command))
        assert told(outcome) == ("replay" if own is not None and invented == own else "spent")
    assert customers(store) == before
    check_books(store)


async def test_a_replay_and_a_mismatch_bind_their_signatures_as_well() -> None:
    store = MemoryStore()
    names = ["cd" * 32, "ef" * 32]
    async with running(store) as writer:
        await writer.submit(signed("own"))
    async with running(store) as writer:
        assert told(await writer.submit(signed("own", name=names[0]))) == "replay"
        other = msgspec.structs.replace(signed("own", name=names[1]), fingerprint=b"another request")
        mismatch = await writer.submit(other)
        assert mismatch.answer.error is not None
    for name in names:
        for invented in ("invented", None):
            async with running(store) as writer:
                assert told(await writer.submit(signed(invented, name=name))) == "spent"
    assert customers(store) == 1
    check_books(store)


async def test_instances_that_race_for_a_signature_take_it_once() -> None:
    store = MemoryStore()
    async with running(store) as one, running(store) as other:
        for round_number in range(5):
            name = f"{round_number:064x}"
            sent = [
                writer.submit(signed(f"key {round_number} {number}", name=name))
                for number in range(4)
                for writer in (one, other)
            ]
            outcomes = sorted(told(outcome) for outcome in await asyncio.gather(*sent))
            assert outcomes.count("new") == 1
    assert customers(store) == 5
    check_books(store)


async def test_what_was_not_signed_has_no_row_for_it() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        await writer.submit(submission(JOIN, key="a"))
        await writer.submit(submission(JOIN))
        assert len(store.state.idempotency) == 1
        await writer.submit(signed("b"))
        assert len(store.state.idempotency) == 3
