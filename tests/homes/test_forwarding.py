"""Commands go to the home of their tenant, and come back with what it committed."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from fastpay import limits
from fastpay._native.sampling import Sampler
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import Charge, PaymentIntent
from fastpay.domain.payment_intents import UpdatePaymentIntent
from fastpay.domain.plan import Versioned
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.homes import codec
from fastpay.engine.homes.codec import UnsupportedFrame
from fastpay.engine.ports import Outcome, Submission
from fastpay.errors import DeadlineExceeded, Overloaded
from fastpay.observability import traces
from tests.support.engine import check_books, count, make_tenant
from tests.support.homes import Instance, home_of, instance, introduce, rewritten
from tests.support.servers import PATIENCE_SECONDS
from tests.support.world import PAY


@pytest.fixture
async def scope(database_url: str) -> Scope:
    return await make_tenant(database_url)


@pytest.fixture
async def pair(database_url: str) -> AsyncIterator[tuple[Instance, Instance]]:
    async with instance(database_url) as one, instance(database_url) as other:
        await introduce(one, other)
        yield one, other


async def test_an_instance_that_is_alone_is_its_writer_and_nothing_else(database_url: str) -> None:
    async with instance(database_url) as alone:
        await alone.membership.read_moment()
        assert alone.homes.submit == alone.engine.writer.submit
        assert alone.homes.put == alone.engine.writer.put
        assert alone.homes.admit == alone.engine.writer.admit
        assert [name for name, count in alone.homes.counts().items() if count] == ["homes_active"]


async def test_a_command_that_nobody_waits_for_goes_home_too(
    pair: tuple[Instance, Instance], scope: Scope
) -> None:
    loop = asyncio.get_running_loop()
    replies: list[asyncio.Future[Outcome]] = []
    for asked in pair:
        for command in (PAY, UpdatePaymentIntent(id="pi_none")):
            replies.append(loop.create_future())
            asked.homes.put(asked.submission(command, scope), replies[-1])
    given_up = loop.create_future()
    pair[0].homes.put(pair[0].submission(PAY, scope), given_up)
    given_up.cancel()
    paid, refused, *others = [outcome.answer.error is None for outcome in await asyncio.gather(*replies)]
    assert [paid, refused, *others] == [True, False, True, False]
    home, asked = home_of(scope, *pair)
    assert asked.count("forwarded") == home.count("served") >= 2
    assert home.count("local") >= 2
    # A failure is told as well.
    for one in pair:
        await one.engine.writer.close()
    refused_later = loop.create_future()
    asked.homes.put(asked.submission(PAY, scope), refused_later)
    with pytest.raises(Overloaded):
        await refused_later


async def test_the_next_oldest_is_the_home_at_once_when_the_connection_to_the_home_ends(
    database_url: str, scope: Scope
) -> None:
    async with instance(database_url) as one, instance(database_url) as two, instance(database_url) as three:
        home, heir, asked = sorted((one, two, three), key=lambda member: member.member_id)
        await introduce(one, two, three)
        await asked.submit(PAY, scope)
        assert (home.count("served"), asked.count("forwarded")) == (1, 1)
        for other in (heir, asked):
            other.network.connects = False
            for cable in other.network.cables:
                if cable.wire is other.homes._links[home.member_id]._wire.wire:  # type: ignore[union-attr]
                    cable.wire.abort()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(other.homes._links[home.member_id].is_open for other in (heir, asked)):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        # The row of the home is as young as before.
        await asked.submit(PAY, scope)
        await heir.submit(PAY, scope)
        assert (heir.count("served"), heir.count("local"), asked.count("local")) == (1, 1, 0)
        assert asked.count("asked_again") == 0


async def test_a_busy_home_gets_another_one_beside_it_and_all_choose_the_same(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with instance(database_url) as one, instance(database_url) as two, instance(database_url) as three:
        fleet = sorted((one, two, three), key=lambda member: member.member_id)
        await introduce(*fleet)
        assert [other.count("active") for other in fleet] == [1, 1, 1]
        monkeypatch.setattr(fleet[0].membership._busy, "percent", lambda: 100)
        for _ in range(limits.home_busy_looks + 1):
            for other in fleet:
                await other.membership.read_moment()
        assert [other.count("active") for other in fleet] == [2, 2, 2]
        scopes = [await make_tenant(database_url, f"shop {number}") for number in range(16)]
        for one_scope in scopes:
            await fleet[2].submit(PAY, one_scope)
        assert fleet[2].count("forwarded") == 16
        assert [other.count("served") > 0 for other in fleet] == [True, True, False]


async def test_a_home_decides_what_another_instance_is_asked_for_and_its_answer_is_shown_there(
    pair: tuple[Instance, Instance], scope: Scope, database_url: str
) -> None:
    home, asked = home_of(scope, *pair)
    reader = asked.engine.reader
    # The first read asks the database how old what is cached may be.
    await reader.get(scope, "pi_" + "0" * 32)
    paid = await asyncio.gather(*(asked.submit(PAY, scope) for _ in range(20)))
    assert (home.count("served"), asked.count("forwarded"), asked.count("local")) == (20, 20, 0)
    statements = reader.counts()["reads_statements"]
    for outcome in paid:
        identifier = outcome.answer.object_id
        assert identifier is not None
        assert await reader.get(scope, identifier) == outcome.objects[identifier]
    assert reader.counts()["reads_statements"] == statements
    await home.submit(PAY, scope)
    assert home.count("local") == 1
    assert await check_books(database_url, scope) == 21 * 3


async def test_what_a_forwarded_command_changed_is_shown_at_once_where_it_was_asked_for(
    pair: tuple[Instance, Instance], scope: Scope
) -> None:
    _, asked = home_of(scope, *pair)
    reader = asked.engine.reader
    for _ in range(3):
        (paid,) = (await asked.submit(PAY, scope)).objects.values()
        assert isinstance(paid.object, PaymentIntent)
        assert paid.object.latest_charge is not None
        refunded = []
        for command in (None, CreateRefund(payment_intent=paid.object.id, amount=500)):
            if command is not None:
                await asked.submit(command, scope)
            charge = await reader.get(scope, paid.object.latest_charge)
            assert charge is not None
            assert isinstance(charge.object, Charge)
            refunded.append(charge.object.amount_refunded)
        assert refunded == [0, 500]


async def test_a_refusal_of_the_home_is_an_answer(
    pair: tuple[Instance, Instance], scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, asked = home_of(scope, *pair)

    def refuse(_: Scope) -> None:
        raise Overloaded("full")

    monkeypatch.setattr(home.engine.writer, "admit", refuse)
    with pytest.raises(Overloaded):
        await asked.submit(PAY, scope)
    # The line of a tenant is one: who comes right after is refused before anything is sent.
    with pytest.raises(Overloaded):
        asked.homes.admit(scope)
    assert (asked.count("forwarded"), asked.count("local")) == (1, 0)


async def test_the_time_that_a_client_allows_goes_with_its_command(
    pair: tuple[Instance, Instance], scope: Scope, database_url: str
) -> None:
    _, asked = home_of(scope, *pair)
    asked.cable.holds_questions = True
    submission = asked.submission(PAY, scope)
    now_ns = asked.homes._clock.monotonic_ns()
    waiting = asyncio.create_task(
        asked.homes.submit(msgspec.structs.replace(submission, deadline_ns=now_ns + 1_000_000))
    )
    await asyncio.sleep(0.02)
    asked.cable.release()
    with pytest.raises(DeadlineExceeded):
        await waiting
    assert await count(database_url, "payment_intent") == 0


async def test_an_answer_for_another_tenant_is_not_believed(
    pair: tuple[Instance, Instance], scope: Scope, database_url: str
) -> None:
    _, asked = home_of(scope, *pair)
    stranger = await make_tenant(database_url, "stranger")
    cable, own = asked.cable, asked.cable.received
    cable.received = lambda frame: own(
        rewritten(frame, lambda one: msgspec.structs.replace(one, tenant_id=stranger.tenant_id))
    )
    outcome = await asked.submit(PAY, scope)
    assert outcome.answer.error is None
    assert asked.count("fallbacks_gone") == 1
    assert asked.engine.reader.partition(stranger).entries == {}
    assert await check_books(database_url, scope) == 3


async def test_a_command_that_cannot_travel_is_written_where_it_arrived_and_the_connection_stays(
    pair: tuple[Instance, Instance], scope: Scope, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, asked = home_of(scope, *pair)

    def refuse(*_: object) -> Submission:
        raise UnsupportedFrame("a shape of its own")

    with monkeypatch.context() as patch:
        patch.setattr(codec, "decode_submission", refuse)
        outcome = await asked.submit(PAY, scope)
    assert (outcome.answer.error, asked.count("fallbacks_unbegun")) == (None, 1)
    await asked.submit(PAY, scope)
    assert (home.count("served"), len(asked.network.cables)) == (2, 1)
    assert await check_books(database_url, scope) == 2 * 3


@pytest.mark.parametrize("end", ["outcome_message", "decode_outcome"])
async def test_an_outcome_that_cannot_travel_is_found_under_its_key_and_the_connection_stays(
    pair: tuple[Instance, Instance],
    scope: Scope,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
) -> None:
    _, asked = home_of(scope, *pair)

    def refuse(*_: object) -> None:
        raise UnsupportedFrame("a shape of its own")

    with monkeypatch.context() as patch:
        patch.setattr(codec, end, refuse)
        outcome = await asked.submit(PAY, scope)
    assert (outcome.answer.error, outcome.original_request_id) == (None, None)
    assert (asked.count("fallbacks_unknown"), len(asked.network.cables)) == (1, 1)
    await asked.submit(PAY, scope)
    assert asked.count("forwarded") == 2
    assert await check_books(database_url, scope) == 2 * 3


async def test_a_home_caches_what_it_makes_for_another_instance_and_forgets_what_changed(
    pair: tuple[Instance, Instance], scope: Scope
) -> None:
    home, asked = home_of(scope, *pair)
    (paid,) = (await asked.submit(PAY, scope)).objects.values()
    identifier, entries = paid.object.id, home.engine.reader.partition(scope).entries
    assert identifier in asked.engine.reader.partition(scope).entries
    assert entries[identifier].value == paid
    await asked.submit(UpdatePaymentIntent(id=identifier, metadata={"order": "1"}), scope)
    shown = await home.engine.reader.get(scope, identifier)
    assert shown is not None
    assert isinstance(shown.object, PaymentIntent)
    assert (shown.version, shown.object.metadata) == (2, {"order": "1"})


async def test_the_span_of_a_request_is_above_that_of_its_home_and_that_above_the_batch(
    pair: tuple[Instance, Instance], scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, asked = home_of(scope, *pair)
    sampler = Sampler(1.0, b"8 bytes!", follows_callers=True, per_second_max=100)
    tracer = traces.Tracer(sampler, SystemClock())
    monkeypatch.setattr(traces, "_tracer", tracer)
    request = tracer.begin({}, 0)
    assert request is not None
    await asked.homes.submit(msgspec.structs.replace(asked.submission(PAY, scope), trace=request))
    await asked.submit(PAY, scope)
    spans = {span.name: span for span in tracer.drain()}
    home, batch = spans["HOME fastpay"].trace, spans["BATCH fastpay"].trace
    assert (home.trace_id, home.parent_id) == (request.trace_id, request.span_id)
    assert (batch.trace_id, batch.parent_id) == (request.trace_id, home.span_id)


async def test_a_member_of_another_release_and_one_that_is_gone_are_no_members(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with instance(database_url) as one, instance(database_url, "other") as other:
        await one.membership.read_moment()
        await other.membership.read_moment()
        assert (one.count("members"), other.count("members")) == (0, 0)
    async with instance(database_url) as one, instance(database_url) as other:
        await introduce(one, other)
        monkeypatch.setattr(limits, "member_alive_ms", 1)
        await asyncio.sleep(0.01)
        await one.membership.read_moment()
        assert one.count("members") == 0


async def test_commits_of_new_objects_are_told_together_and_a_change_at_once(
    pair: tuple[Instance, Instance], scope: Scope
) -> None:
    home, asked = home_of(scope, *pair)
    home.homes.serving.notice_of_new_ms = 60_000
    (paid,) = (await asked.submit(PAY, scope)).objects.values()
    assert isinstance(paid.object, PaymentIntent)
    assert paid.object.latest_charge is not None
    assert await asked.engine.reader.get(scope, paid.object.latest_charge) is not None
    entries, frames = asked.engine.reader.partition(scope).entries, list[bytes]()
    received = asked.cable.received

    def note(frame: bytes) -> None:
        frames.append(frame)
        received(frame)

    asked.cable.received = note
    for _ in range(5):
        await home.submit(PAY, scope)
    await asyncio.sleep(5 * limits.home_notice_ms / 1000)
    assert not frames
    assert paid.object.latest_charge in entries
    await home.submit(CreateRefund(payment_intent=paid.object.id), scope)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while entries[paid.object.latest_charge].version == 1:  # noqa: ASYNC110  the home tells by itself
            await asyncio.sleep(0.005)
    assert len(frames) == 1


@pytest.mark.parametrize("is_heard_twice", [False, True])
async def test_what_another_client_changed_is_shown_without_a_read_where_it_is_asked_for(
    pair: tuple[Instance, Instance], scope: Scope, is_heard_twice: bool
) -> None:
    home, asked = home_of(scope, *pair)
    charge = await _pay_and_show(asked, scope)
    reader, versions = asked.engine.reader, list[Versioned]()
    statements = reader.counts()["reads_statements"]
    for amount in (100, 200):
        refund = CreateRefund(charge=charge, amount=100)
        if is_heard_twice:
            # The same change is announced by Redis, and often before the home tells what it made.
            reader.heard(scope, [(charge, 2 + len(versions))])
            assert charge not in reader.partition(scope).entries
        await home.submit(refund, scope)
        versions.append(await _shown(asked, scope, charge, version=2 + len(versions)))
        assert isinstance(versions[-1].object, Charge)
        assert versions[-1].object.amount_refunded == amount
    assert reader.counts()["reads_statements"] == statements
    assert versions[-1] == await home.engine.reader.get(scope, charge)


async def test_what_is_too_large_to_be_told_or_not_asked_for_is_read_again(
    pair: tuple[Instance, Instance], scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, asked = home_of(scope, *pair)
    charge, other = await _pay_and_show(asked, scope), await _pay_and_show(home, scope)
    entries = asked.engine.reader.partition(scope).entries
    # Both are told in one frame at most, so when the second is gone, the first was heard.
    await home.submit(CreateRefund(charge=other, amount=100), scope)
    monkeypatch.setattr(limits, "home_notice_bytes_max", 16)
    await home.submit(CreateRefund(charge=charge, amount=100), scope)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while charge in entries:  # noqa: ASYNC110  the home tells by itself
            await asyncio.sleep(0.005)
    assert other not in entries
    for identifier in (charge, other):
        found = await asked.engine.reader.get(scope, identifier)
        assert found is not None
        assert (found.version, found.object) == (2, (await _shown(home, scope, identifier, version=2)).object)


async def _pay_and_show(one: Instance, scope: Scope) -> str:
    """Pay at an instance, have it show the charge, and return that."""
    (paid,) = (await one.submit(PAY, scope)).objects.values()
    assert isinstance(paid.object, PaymentIntent)
    assert paid.object.latest_charge is not None
    assert await one.engine.reader.get(scope, paid.object.latest_charge) is not None
    return paid.object.latest_charge


async def _shown(one: Instance, scope: Scope, identifier: str, *, version: int) -> Versioned:
    """Return what an instance has cached once it has this version."""
    entries = one.engine.reader.partition(scope).entries
    async with asyncio.timeout(PATIENCE_SECONDS):
        while identifier not in entries or entries[identifier].version < version:  # noqa: ASYNC110  as above
            await asyncio.sleep(0.005)
    found = await one.engine.reader.get(scope, identifier)
    assert found is not None
    assert found.version == version
    return found
