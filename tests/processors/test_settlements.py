"""Settlements on a real database: what each row is about, what is posted, and what closes."""

import asyncio
from collections.abc import Callable

import pytest

from fastpay.domain.processor_objects import Attempt
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.processors.ports import Outcome
from fastpay.engine.processors.settlement_matching import Matching
from fastpay.errors import NotFound, UnexpectedState
from fastpay.operations.settlement_files.mapping import Mapping
from fastpay.operations.settlement_files.reading import BadFile
from tests.support.engine import make_tenant
from tests.support.fake_processor import FakeProcessor
from tests.support.live_shop import select
from tests.support.settling import TODAY, Settled, file_of, row, settled

UNKNOWN = "att_" + "9" * 32


async def counted(own: Settled) -> list[int]:
    """Return how many versions, transfers and rows there are."""
    (found,) = await select(
        own.shop.database_url,
        "select (select count(*) from object_version) as versions, (select count(*) from transfer) as moved, "
        "(select count(*) from settlement_row) as rows",
    )
    return list(found.values())


async def test_a_settlement_that_is_right_closes_and_moves_what_was_owed(database_url: str) -> None:
    async with settled(database_url) as own:
        first, second = await own.pay(2)
        found = await own.settle(row(first.id), row(second.id), row(kind="fee", gross=0, fee=25))
        assert (found.status, found.rows, found.differences) == ("open", 3, 0)
        assert (found.gross, found.fee, found.net, found.ours) == (2000, 85, 1915, 2000)
        assert await own.statuses(found) == ["matched"] * 3
        assert (await own.balances())["processor"] == 2000
        closed = await own.settling.close(own.scope, found.id)
        assert closed.status == "closed"
        assert await own.balances() == {"processor": 0, "settlement_bank": 1915, "processor_fees": 85}
        for again in (own.settling.close, own.settling.match):
            with pytest.raises(UnexpectedState, match="closed"):
                await again(own.scope, found.id)


@pytest.mark.parametrize(
    ("rows", "statuses"),
    [
        (lambda one: [row(one.id, 999)], ["amount_differs"]),
        (lambda one: [row(one.id), row(one.id)], ["matched", "duplicate"]),
        (lambda one: [row(one.id), row(one.id, processor_id="else")], ["matched", "duplicate"]),
        (lambda one: [row(processor_id=str(one.processor_id))], ["matched"]),
        (lambda one: [row("order 7", processor_id=str(one.processor_id))], ["matched"]),
        (lambda _: [row()], ["matched"]),
        (lambda _: [row(), row()], ["matched", "missing_here"]),
        (lambda _: [row(processor_id="unheard")], ["missing_here", "missing_there"]),
        (lambda _: [row(gross=999)], ["missing_here", "missing_there"]),
        # Whatever else may be alike, a row that names a payment is about that one.
        (lambda _: [row(UNKNOWN)], ["missing_here", "missing_there"]),
        (lambda _: [row("order 7")], ["missing_here", "missing_there"]),
        (lambda one: [row(UNKNOWN, processor_id=str(one.processor_id))], ["missing_here", "missing_there"]),
        (lambda one: [row(one.id, -1000, kind="refund")], ["missing_here", "missing_there"]),
        (lambda one: [row(one.id, kind="adjustment")], ["missing_here", "missing_there"]),
    ],
)
async def test_a_row_is_about_what_it_names_first(
    database_url: str, rows: Callable[[Attempt], list[str]], statuses: list[str]
) -> None:
    async with settled(database_url) as own:
        (attempt,) = await own.pay()
        assert attempt.processor_id is not None
        found = await own.settle(*rows(attempt))
        assert await own.statuses(found) == statuses
        assert found.differences == sum(one != "matched" for one in statuses)
        if found.differences:
            with pytest.raises(UnexpectedState, match="differ"):
                await own.settling.close(own.scope, found.id)


DECLINED = "update attempt set status = 'declined' where status = 'approved' and operation = "
APPROVED = "update attempt set status = 'approved' where operation = "
OWED = "update account set debits_posted = debits_posted {} 5 where code = 'processor'"


@pytest.mark.parametrize(
    ("plant", "mend", "field"),
    [
        (DECLINED + "'authorize'", APPROVED + "'authorize'", "amount taken by attempts 1000"),
        (DECLINED + "'refund'", APPROVED + "'refund'", "amount refunded by attempts 400"),
        (OWED.format("+"), OWED.format("-"), "balance of processor 1000"),
    ],
)
async def test_what_processors_owe_is_what_attempts_moved_and_no_settlement_paid_out(
    database_url: str, plant: str, mend: str, field: str
) -> None:
    async with settled(database_url) as own:
        first, second = await own.pay(2)
        await own.shop.follow_up(CreateRefund(payment_intent=second.payment, amount=400))
        found = await own.settle(row(first.id))
        for position in (2, 3):
            await own.settling.accept(own.scope, found.id, position, by="a test", reason="written off")
        await own.settling.close(own.scope, found.id)
        await own.pay()
        reads = own.shop.instance.reads
        assert (await reads.verify(own.scope)).problems == ()
        await select(database_url, plant)
        problems = (await reads.verify(own.scope)).problems
        assert any(f"has {field}, the ledger has" in problem for problem in problems), problems
        await select(database_url, mend)


async def test_a_file_that_comes_again_changes_nothing(database_url: str) -> None:
    async with settled(database_url) as own:
        (attempt,) = await own.pay()
        await own.settle(row(attempt.id), row(attempt.id))
        before = await counted(own)
        again = await own.import_(file_of(row(attempt.id), row(attempt.id)))
        assert (again.is_known, again.rows) == (True, 0)
        # Another file with the same rows has nothing that is new.
        overlapping = await own.import_(file_of(row(attempt.id), row(attempt.id), ""))
        assert (overlapping.settlements, overlapping.rows) == ((), 0)
        assert await counted(own) == before


async def test_files_that_overlap_have_each_row_once(database_url: str) -> None:
    async with settled(database_url) as own:
        first, second = await own.pay(2)
        one = await own.settle(row(first.id), row(second.id))
        third, fourth = await own.pay(2)
        two = await own.settle(row(second.id), row(third.id), row(fourth.id))
        assert (two.rows, two.gross, two.differences) == (2, 2000, 0)
        for found in (one, two):
            await own.settling.close(own.scope, found.id)
        assert (await own.balances())["processor"] == 0


async def test_a_difference_is_accepted_with_who_and_why_and_then_closes(database_url: str) -> None:
    async with settled(database_url) as own:
        first, second, third = await own.pay(3)
        found = await own.settle(
            row(first.id, 1100), row(second.id), row(second.id, fee=31), row(UNKNOWN, 50, fee=0)
        )
        statuses = ["amount_differs", "matched", "duplicate", "missing_here", "missing_there"]
        assert await own.statuses(found) == statuses
        for position, left in ((1, 3), (3, 2), (4, 1), (5, 0)):
            found = await own.settling.accept(own.scope, found.id, position, by="Ada", reason="told by mail")
            assert found.differences == left
        # 100 and 1000 too much, 50 of nobody; and the third payment is given up.
        assert [one.amount for one in found.acceptances] == [100, 1000, 50, -1000]
        assert {(one.by, one.reason) for one in found.acceptances} == {("Ada", "told by mail")}
        for position in (2, 5, 9):
            with pytest.raises((NotFound, UnexpectedState)):
                await own.settling.accept(own.scope, found.id, position, by="Ada", reason="again")
        # To match again keeps what was accepted.
        matched = await own.settling.match(own.scope, found.id)
        assert matched is not None
        assert (matched.differences, matched.accepted) == (0, 150)
        assert await own.statuses(found) == statuses
        await own.settling.close(own.scope, found.id)
        balances = await own.balances()
        assert balances == {
            "processor": 0, "settlement_bank": 3059, "processor_fees": 91, "settlement_differences": -150
        }  # fmt: skip
        # What was given up, and comes after all, is for a person to look at.
        late = await own.settle(row(third.id))
        assert await own.statuses(late) == ["duplicate"]


async def test_what_a_file_lacks_may_come_in_a_later_one(database_url: str) -> None:
    async with settled(database_url) as own:
        first, second = await own.pay(2)
        patient = await own.settle(row(first.id), mapping=Mapping(amounts="minor", lag_days=2))
        assert await own.statuses(patient) == ["matched", "pending"]
        assert patient.differences == 0
        strict = await own.settle(row(kind="fee", gross=0, fee=1))
        assert await own.statuses(strict) == ["matched", "missing_there"]
        await own.settle(row(second.id))
        again = await own.settling.match(own.scope, strict.id)
        assert again is not None
        assert (again.differences, await own.statuses(again)) == (0, ["matched"])


@pytest.mark.parametrize(
    ("gross", "status", "row_status"), [(1000, "approved", "matched"), (900, "review", "pending")]
)
async def test_a_settlement_tells_what_became_of_a_payment_in_doubt(
    database_url: str, gross: int, status: str, row_status: str
) -> None:
    processor = FakeProcessor()
    processor.answers = processor.knows = False
    async with settled(database_url, processor) as own:
        (attempt,) = await own.pay()
        assert (attempt.status, await own.shop.in_doubt()) == ("open", 1000)
        found = await own.settle(row(attempt.id, gross, processor_id="theirs"))
        (ended,) = await own.attempts()
        assert (ended.status, ended.processor_id) == (status, "theirs")
        assert await own.statuses(found) == [row_status]
        assert await own.shop.in_doubt() == (0 if status == "approved" else 1000)


async def test_a_payment_that_was_declined_here_and_settled_is_for_a_person(database_url: str) -> None:
    processor = FakeProcessor()
    processor.outcome = lambda _: Outcome(status="declined", code="card_declined")
    async with settled(database_url, processor) as own:
        (attempt,) = await own.pay()
        found = await own.settle(row(attempt.id))
        assert await own.statuses(found) == ["missing_here"]
        (ended,) = await own.attempts()
        assert (ended.status, ended.held) == ("review", 0)
        assert "approved" in ended.reason


async def test_two_imports_of_one_file_at_once_are_one(database_url: str) -> None:
    async with settled(database_url) as own:
        (attempt,) = await own.pay()
        file = file_of(row(attempt.id))
        one, two = await asyncio.gather(own.import_(file), own.import_(file))
        assert one.settlements == two.settlements
        assert {one.is_known, two.is_known} == {False, True}
        (identifier,) = one.settlements
        both = await asyncio.gather(
            *(own.another().match(own.scope, identifier) for _ in range(2)), return_exceptions=True
        )
        # The one that began last has decided.
        assert any(not isinstance(found, BaseException) for found in both)
        closed = await own.settling.close(own.scope, identifier)
        assert (closed.rows, closed.gross) == (1, 1000)


async def test_who_is_ended_in_the_middle_is_continued_by_the_next(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with settled(database_url) as own:
        first, second = await own.pay(2)
        (identifier,) = (await own.import_(file_of(row(first.id), row(first.id)))).settlements

        async def end(*_: object, **__: object) -> None:
            raise asyncio.CancelledError

        with monkeypatch.context() as patched:
            patched.setattr(Matching, "find_missing", end)
            with pytest.raises(asyncio.CancelledError):
                await own.settling.match(own.scope, identifier)
        for refused in (
            own.settling.close(own.scope, identifier),
            own.settling.accept(own.scope, identifier, 2, by="Ada", reason="early"),
        ):
            with pytest.raises(UnexpectedState, match="being matched"):
                await refused
        found = await own.settling.match(own.scope, identifier)
        assert found is not None
        assert await own.statuses(found) == ["matched", "duplicate", "missing_there"]
        assert [one.attempt for one in await own.shown(found)] == [first.id, first.id, second.id]


async def test_a_file_that_breaks_off_leaves_nothing(database_url: str) -> None:
    async with settled(database_url) as own:
        (attempt,) = await own.pay()
        broken = file_of(*[row(attempt.id, fee=fee) for fee in range(1_100)], row(attempt.id)[:-10])
        with pytest.raises(BadFile, match="line 1102, column 8"):
            await own.import_(broken)
        found = await select(
            database_url,
            "select 1 from settlement_row union all select 1 from settlement_file "
            "union all select 1 from settlement",
        )
        assert found == []


async def test_a_file_in_two_currencies_is_two_settlements(database_url: str) -> None:
    async with settled(database_url) as own:
        (attempt,) = await own.pay()
        rows = row(attempt.id), row(attempt.id, currency="eur")
        imported = await own.import_(file_of(*rows))
        found = [await own.settling.match(own.scope, one) for one in imported.settlements]
        shown = {one.currency: await own.statuses(one) for one in found if one is not None}
        assert shown == {"usd": ["matched"], "eur": ["missing_here"]}


async def test_a_tenant_settles_nothing_of_another_one(database_url: str) -> None:
    async with settled(database_url) as own:
        (attempt,) = await own.pay()
        found = await own.settle(row(attempt.id))
        other = await make_tenant(database_url, "other", livemode=True)
        assert await own.settling.find(other, found.id) is None
        for refused in (
            own.settling.match(other, found.id),
            own.settling.close(other, found.id),
            own.settling.accept(other, found.id, 1, by="Ada", reason="mine"),
        ):
            with pytest.raises(NotFound):
                await refused
        assert await own.rows.taken(other, [attempt.id], UNKNOWN, 1) == set()
        assert await own.rows.named(other, "acquirer", [str(attempt.processor_id)]) == {}
        assert await own.rows.unsettled(other, "acquirer", "usd", after="0" * 32, below="f" * 32) == []
        day = found.closed_at or TODAY
        assert day == TODAY
