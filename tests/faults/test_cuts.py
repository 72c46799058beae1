"""The connection to PostgreSQL ends at every message in turn: one effect a key, one answer, sound books."""

import asyncio
import contextlib
import random
import socket
import sys
from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.captures import CapturePaymentIntent
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Command
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.ports import Outcome
from fastpay.errors import DatabaseUnavailable, OutcomeUnknown
from tests.support.books import check_database
from tests.support.engine import Engine, count, engine, make_tenant, record, settle
from tests.support.postgres_proxy import CUTS, Manner, Proxy
from tests.support.seeds import SEED
from tests.support.servers import PATIENCE_SECONDS
from tests.support.world import HOLD, PAY

# The messages that have an answer of their own; to cut at another's answer is to cut after it.
ANSWERED = frozenset(("Sync", "begin", "commit"))
# A storm lasts until it has struck often enough to have proved something, but not for ever.
STRIKES_MIN = 15
PAYMENTS_MIN, PAYMENTS_MAX = 4, 100


@pytest.mark.parametrize(
    ("manner", "session_state"),
    [*((manner, True) for manner in CUTS), ("half", False), ("withheld", False)],
)
async def test_a_cut_at_any_message_of_a_batch_leaves_one_effect_and_one_answer(
    database_url: str, manner: Manner, session_state: bool
) -> None:
    scope = await make_tenant(database_url)
    async with Proxy(database_url) as proxy, engine(proxy.url, session_state=session_state) as instance:
        log = await record(proxy, instance, scope)
        assert {"commit", *([] if session_state else ["begin"])} <= set(log)
        unkeyed = made = await count(database_url, "payment_intent")
        for place, name in enumerate(log):
            if manner in ("withheld", "torn", "fatal") and name not in ANSWERED:
                continue
            proxy.arm(manner, place=place)
            outcome = await settle(instance, PAY, scope, f"key {place}")
            assert proxy.struck == 1, f"{name} at {place} was never reached"
            again = await instance.submit(PAY, scope, key=f"key {place}")
            assert outcome.answer.error is None
            assert again.answer == outcome.answer
            assert again.original_request_id is not None
            # A lost COMMIT is looked up: the first answer is not marked as a replay.
            assert name != "commit" or outcome.original_request_id is None
            made += 1
            assert await count(database_url, "payment_intent") == made, f"{manner} {name} at {place}"
            # The instance remembers the key, and another one looks for its row.
            assert await count(database_url, "idempotency") == made - unkeyed
    await check_database(database_url)


@pytest.mark.parametrize("manner", [*CUTS, "late"])
async def test_without_a_key_a_cut_commit_is_answered_truly_or_said_to_be_unknown(
    database_url: str, manner: Manner
) -> None:
    scope = await make_tenant(database_url)
    acknowledged = unknown = 0
    async with Proxy(database_url) as proxy, engine(proxy.url) as instance:
        await instance.do(PAY, scope)
        for _ in range(5):
            proxy.arm(manner, name="commit")
            try:
                await instance.do(PAY, scope)
                acknowledged += 1
            except OutcomeUnknown:
                unknown += 1
            assert proxy.struck == 1
    made = await count(database_url, "payment_intent") - 1
    # The proxy lets everybody in again, so that whoever looks finds out.
    assert (acknowledged, unknown) == (made, 0) == (5, 0)
    await check_database(database_url)


async def test_a_commit_that_comes_late_is_waited_for_behind_a_pooler(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with Proxy(database_url) as proxy, engine(proxy.url, session_state=False) as instance:
        await instance.do(PAY, scope)
        for _ in range(3):
            proxy.arm("late", name="commit")
            await instance.do(PAY, scope)
            assert proxy.struck == 1
    assert await count(database_url, "payment_intent") == 4
    await check_database(database_url)


@pytest.mark.parametrize("key", [None, "key"])
async def test_what_nobody_can_tell_is_said_to_be_unknown_only_where_no_key_can_find_out(
    database_url: str, key: str | None
) -> None:
    scope = await make_tenant(database_url)
    async with Proxy(database_url) as proxy, engine(proxy.url) as instance:
        await instance.do(PAY, scope)
        proxy.arm("withheld", name="commit")
        proxy.refuses_once_struck = True
        with pytest.raises(OutcomeUnknown if key is None else DatabaseUnavailable) as refusal:
            await instance.submit(PAY, scope, key=key)
        # Whoever retries what says that it may be retried must have a key.
        assert refusal.value.retryable == (key is not None)
        proxy.refuses_once_struck = False
        await settle(instance, PAY, scope, "key")
    assert await count(database_url, "payment_intent") == (3 if key is None else 2)
    await check_database(database_url)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
async def test_answers_that_trickle_in_are_the_same_answers(database_url: str, chunk: int) -> None:
    scope = await make_tenant(database_url)
    async with Proxy(database_url) as proxy, engine(proxy.url) as instance:
        proxy.chunk = chunk
        outcomes = await asyncio.gather(
            *(instance.submit(PAY, scope, key=f"key {number % 10}") for number in range(20))
        )
        assert {outcome.answer.error for outcome in outcomes} == {None}
        proxy.delay_s = 0.001
        held = await instance.do(HOLD, scope)
        await instance.do(CapturePaymentIntent(id=held.id, amount=300), scope)
    assert await count(database_url, "payment_intent") == 11
    await check_database(database_url)


async def test_a_database_that_falls_silent_at_commit_is_left_and_asked_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "commit_timeout_ms", 300)
    scope = await make_tenant(database_url)
    async with Proxy(database_url) as proxy, engine(proxy.url) as instance:
        await instance.do(PAY, scope)
        proxy.arm("frozen", name="commit")
        outcome = await settle(instance, PAY, scope, "key")
        again = await instance.submit(PAY, scope, key="key")
        assert proxy.struck == 1
    assert again.answer == outcome.answer
    assert await count(database_url, "payment_intent") == 2
    await check_database(database_url)


@pytest.mark.parametrize("turns", range(8))
async def test_whoever_comes_while_the_proxy_ends_is_cut_off_as_well(database_url: str, turns: int) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as late:
        async with Proxy(database_url) as proxy:
            late.connect(proxy.address)
            late.setblocking(False)
            # How far the loop has come with it, from not having looked to being connected to the database.
            for _ in range(turns):
                await asyncio.sleep(0)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await loop.sock_recv(late, 1) == b""


class Clients:
    """Many at once that pay, capture and refund through whatever happens, each key until it is answered."""

    def __init__(self, instances: list[Engine], scope: Scope, chance: random.Random) -> None:
        self.instances = instances
        self.scope = scope
        self.chance = chance
        self.answers: dict[str, set[Any]] = {}
        self.tries = 0
        self.payments = 0

    async def send(self, command: Command, key: str) -> Outcome:
        """Return the answer to the command; sometimes others ask the same at the same time."""
        asking = self.chance.choice((1, 1, 2))
        outcomes = await asyncio.gather(*(self._settle(command, key) for _ in range(asking)))
        for outcome in outcomes:
            self.answers.setdefault(key, set()).add(outcome.answer)
        return outcomes[0]

    async def _settle(self, command: Command, key: str) -> Outcome:
        while True:
            self.tries += 1
            try:
                return await self.chance.choice(self.instances).submit(command, self.scope, key=key)
            except DatabaseUnavailable:
                await asyncio.sleep(0.01)

    async def live(self, name: str, manners: list[str]) -> None:
        """Make payments one after the other, some in any case, until there were strikes enough.

        Each is held, captured in part, refunded in part, and refused a refund once.
        """
        for number in range(PAYMENTS_MAX):
            if number >= PAYMENTS_MIN and len(manners) >= STRIKES_MIN:
                return
            self.payments += 1
            held = await self.send(HOLD, f"{name} {number} hold")
            identifier = held.answer.object_id
            assert identifier is not None
            captured = await self.send(
                CapturePaymentIntent(id=identifier, amount=700), f"{name} {number} capture"
            )
            assert captured.answer.error is None
            await self.send(CreateRefund(payment_intent=identifier, amount=200), f"{name} {number} refund")
            refused = await self.send(
                CreateRefund(payment_intent=identifier, amount=501), f"{name} {number} too much"
            )
            assert refused.answer.error is not None
            assert refused.answer.error.code == "amount_too_large"


async def disturb(proxies: list[Proxy], chance: random.Random, manners: list[str]) -> None:
    """Strike one message after another, of any kind and in any manner, until cancelled."""
    while True:
        proxy = chance.choice(proxies)
        manner = chance.choice(CUTS)
        if chance.random() < 0.5:
            proxy.arm(manner, name="commit")
        else:
            proxy.arm(manner, place=chance.randrange(60))
        await asyncio.sleep(chance.uniform(0.002, 0.05))
        if proxy.struck:
            manners.append(manner)


@pytest.mark.parametrize("instances", [1, 2])
async def test_clients_get_their_one_answer_through_a_storm_of_cuts(
    database_url: str, instances: int
) -> None:
    chance = random.Random(SEED)
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    scope = await make_tenant(database_url)
    manners: list[str] = []
    async with (
        Proxy(database_url) as first,
        Proxy(database_url) as second,
        engine(first.url) as one,
        engine(second.url) as other,
    ):
        clients = Clients([one, other][:instances], scope, chance)
        storm = asyncio.create_task(disturb([first, second][:instances], chance, manners))
        await asyncio.gather(*(clients.live(f"client {number}", manners) for number in range(12)))
        storm.cancel()
        await asyncio.gather(storm, return_exceptions=True)
        for proxy in (first, second):
            proxy.disarm()
    assert len(manners) >= STRIKES_MIN
    # Struck not only where it is harmless.
    assert clients.tries > len(clients.answers)
    assert {len(answers) for answers in clients.answers.values()} == {1}
    assert await count(database_url, "payment_intent") == clients.payments
    assert await count(database_url, "refund") == clients.payments
    await check_database(database_url)
