"""A batch of N is indistinguishable from N batches of one."""

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpay.domain.charging import Terms
from fastpay.domain.customers import CreateCustomer, DeleteCustomer, UpdateCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.payment_intents import (
    CancelPaymentIntent,
    CapturePaymentIntent,
    ConfirmPaymentIntent,
    CreatePaymentIntent,
    UpdatePaymentIntent,
)
from fastpay.domain.payment_methods import AttachPaymentMethod, CreatePaymentMethod, DetachPaymentMethod
from fastpay.domain.plan import Command
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.background import Background
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.write.queued import make_entry
from fastpay.engine.write.transactions import decide_locked
from tests.support.memory import (
    OTHER_TENANT,
    TENANT,
    MemoryStore,
    MemoryTransaction,
    State,
    check_books,
    submission,
)
from tests.support.world import card

CURRENCIES = ("usd", "eur")
CARDS = ("visa", "bypassPending", "chargeDeclined", "authenticationRequired")
Result = Outcome | Exception


class Known:
    """What exists for a tenant before a round, for its commands to refer to."""

    def __init__(self, state: State, scope: Scope, chance: random.Random) -> None:
        self._chance = chance
        self._identifiers = sorted({written.object.id for owner, written in state.versions if owner == scope})

    def one(self, prefix: str) -> str:
        """Return an identifier of this kind, now and then one that is nobody's."""
        own = [identifier for identifier in self._identifiers if identifier.startswith(f"{prefix}_")]
        if not own or self._chance.random() < 0.05:
            return f"{prefix}_{'0' * 32}"
        # The youngest again and again, so that commands of a batch meet on the same objects.
        return self._chance.choice(own[-3:])


def make_command(known: Known, chance: random.Random) -> Command:
    """Return a command of any kind."""
    intent, method, customer = known.one("pi"), known.one("pm"), known.one("cus")
    amount, currency = chance.randint(1, 2000), chance.choice(CURRENCIES)
    manual = {"capture_method": chance.choice(("manual", "automatic"))}
    later = manual | {"setup_future_usage": "off_session"}
    default = {"default_payment_method": method}
    create = CreatePaymentIntent(amount=amount, currency=currency, secret="s", fields=manual)
    makers: Sequence[Callable[[], Command]] = (
        lambda: create,
        lambda: msgspec.structs.replace(create, payment_method=card(chance.choice(CARDS)), confirm=True),
        lambda: msgspec.structs.replace(
            create, payment_method=method, customer=customer, confirm=True, fields=later
        ),
        lambda: ConfirmPaymentIntent(id=intent),
        lambda: ConfirmPaymentIntent(id=intent, payment_method=card(chance.choice(CARDS))),
        lambda: ConfirmPaymentIntent(id=intent, payment_method=method, terms=Terms(off_session=True)),
        lambda: UpdatePaymentIntent(id=intent, fields={"currency": currency, "amount": amount}),
        lambda: UpdatePaymentIntent(id=intent, fields={"customer": customer}),
        lambda: UpdatePaymentIntent(id=intent, payment_method=method),
        lambda: CapturePaymentIntent(id=intent, amount=chance.choice((None, amount))),
        lambda: CancelPaymentIntent(id=intent),
        lambda: CreateRefund(payment_intent=intent, amount=chance.choice((None, amount))),
        lambda: CreateRefund(charge=known.one("ch"), amount=chance.choice((None, amount))),
        lambda: CreateCustomer(fields={}),
        lambda: UpdateCustomer(id=customer, fields={}, invoice_settings=default),
        lambda: DeleteCustomer(id=customer),
        lambda: CreatePaymentMethod(card=card(chance.choice(CARDS))),
        lambda: AttachPaymentMethod(payment_method=method, customer=customer),
        lambda: DetachPaymentMethod(id=method),
    )
    return chance.choice(makers)()


def make_round(state: State, chance: random.Random, numbers: "itertools.count[int]") -> list[Submission]:
    """Return submissions that refer to nothing younger than this round."""
    made = []
    for _ in range(chance.randint(1, 12)):
        scope = chance.choice((TENANT, TENANT, OTHER_TENANT))
        command = make_command(Known(state, scope, chance), chance)
        key = chance.choice((None, None, f"key {chance.randint(1, 40)}"))
        fingerprint = chance.choice((b"one", b"one", b"one", b"other"))
        number = next(numbers)
        made.append(submission(command, scope=scope, key=key, fingerprint=fingerprint, number=number))
    return made


async def commit(store: MemoryStore, batch: Sequence[Submission]) -> list[Result]:
    """Run one batch."""
    results: list[Result] = []

    async def work(transaction: MemoryTransaction) -> None:
        entries = [make_entry(each, 0) for each in batch]
        results.extend((await decide_locked(transaction, entries, Background())).results)

    await store.run_batch(work)  # type: ignore[arg-type]
    return results


def split(batch: Sequence[Submission], chance: random.Random) -> list[Sequence[Submission]]:
    """Return the same submissions in the same order, in batches of any sizes."""
    batches, start = [], 0
    while start < len(batch):
        size = chance.randint(1, len(batch))
        batches.append(batch[start : start + size])
        start += size
    return batches


async def compare(seed: int) -> None:
    """Run the same rounds one by one and in batches, and compare answers and books."""
    chance = random.Random(seed)
    numbers = itertools.count(1)
    single, batched = MemoryStore(), MemoryStore()
    for _ in range(5):
        submissions = make_round(single.state, chance, numbers)
        expected = [result for one in submissions for result in await commit(single, [one])]
        found = [result for batch in split(submissions, chance) for result in await commit(batched, batch)]
        assert not [result for result in expected if isinstance(result, Exception)]
        assert found == expected
        assert batched.state == single.state
    check_books(single)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32))
def test_a_batch_of_many_is_like_many_batches_of_one(seed: int) -> None:
    asyncio.run(compare(seed))


def test_the_rounds_move_money_and_meet_refusals_and_replays() -> None:
    """Rounds that did nothing would be alike as well."""

    async def run() -> None:
        chance = random.Random(1)
        numbers = itertools.count(1)
        store = MemoryStore()
        results: list[Result] = []
        for _ in range(150):
            results += await commit(store, make_round(store.state, chance, numbers))
        outcomes = [result for result in results if isinstance(result, Outcome)]
        kinds = {transfer.kind for _, transfer in store.state.transfers}
        phases = {transfer.phase for _, transfer in store.state.transfers}
        assert kinds == {"capture", "fee", "refund", "available"}
        assert phases >= {"posted", "hold", "post", "void"}
        assert {outcome.answer.error is None for outcome in outcomes} == {True, False}
        assert {outcome.original_request_id is None for outcome in outcomes} == {True, False}

    asyncio.run(run())
