"""Settlements: what closes, what that moves, and who may change what."""

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Command
from fastpay.domain.settlements import (
    AcceptDifference,
    BeginMatching,
    CloseSettlement,
    RecordMatching,
    Settlement,
    Sums,
)
from tests.support.world import World, of_type

ID = "stl_" + "1" * 32
BEGIN = BeginMatching(id=ID, processor="acquirer", currency="usd", file="0" * 64)
RIGHT = Sums(rows=2, gross=1000, fee=30, net=970, ours=1000)
CLOSE = CloseSettlement(id=ID)
ACCEPT = AcceptDifference(
    id=ID, position=1, status="missing_here", amount=100, revision=1, by="Ada", reason="told"
)


def matched(sums: Sums = RIGHT) -> World:
    """Return books with a settlement that is open."""
    world = World(scope=Scope("0" * 31 + "1", True))
    world.do(BEGIN)
    world.do(RecordMatching(id=ID, revision=1, sums=sums))
    world.check()
    return world


def differing(difference: int, rows: int = 1) -> Sums:
    """Return sums with a difference."""
    return msgspec.structs.replace(RIGHT, ours=RIGHT.gross - difference, differences=rows)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_close_moves_what_came_to_the_bank_and_what_was_kept(sign: int) -> None:
    sums = Sums(rows=1, gross=sign * 1000, fee=30, net=sign * 1000 - 30, ours=sign * 1000)
    world = matched(sums)
    closed = of_type(world.do(CLOSE), Settlement)
    assert (closed.status, closed.closed_at) == ("closed", world.moment_s)
    balances = [world.balance(code) for code in ("processor", "settlement_bank", "processor_fees")]
    assert balances == [-sums.gross, sums.net, 30]
    world.check()


@pytest.mark.parametrize(
    "sums",
    [differing(100), differing(0), differing(100, rows=0), differing(-1, rows=0)],
    ids=["a row and its amount", "a row", "an amount", "less"],
)
def test_nothing_closes_with_a_difference(sums: Sums) -> None:
    error = matched(sums).refused(CLOSE)
    assert (error.status, error.code) == (400, "settlement_differs")


@pytest.mark.parametrize("amount", [100, -100, 0])
def test_a_difference_that_is_accepted_is_posted_and_kept(amount: int) -> None:
    world = matched(differing(amount))
    accepted = of_type(world.do(msgspec.structs.replace(ACCEPT, amount=amount)), Settlement)
    (one,) = accepted.acceptances
    assert (one.amount, one.by, one.reason, one.at) == (amount, "Ada", "told", world.moment_s)
    assert world.balance("settlement_differences") == amount
    assert world.balance("processor") == amount
    assert (one.transfer == "") == (amount == 0)
    world.do(CLOSE)
    assert world.balance("processor") == amount - 1000
    world.check()


@pytest.mark.parametrize(
    ("before", "command", "reason"),
    [
        ((), msgspec.structs.replace(ACCEPT, revision=2), "matched again"),
        ((ACCEPT,), ACCEPT, "accepted already"),
        ((ACCEPT,), msgspec.structs.replace(ACCEPT, position=2), "does not differ"),
        ((), msgspec.structs.replace(ACCEPT, status="matched"), "does not differ"),
        ((BEGIN,), ACCEPT, "being matched"),
        ((BEGIN,), CLOSE, "being matched"),
        ((), RecordMatching(id=ID, revision=1, sums=RIGHT), "by somebody else"),
        ((BEGIN, BEGIN), RecordMatching(id=ID, revision=2, sums=RIGHT), "by somebody else"),
        ((ACCEPT, CLOSE), BEGIN, "is closed"),
        ((ACCEPT, CLOSE), ACCEPT, "is closed"),
        ((ACCEPT, CLOSE), CLOSE, "is closed"),
        ((), CloseSettlement(id="stl_" + "2" * 32), "No such settlement"),
    ],
)
def test_what_comes_too_early_or_too_late_is_refused(
    before: tuple[Command, ...], command: Command, reason: str
) -> None:
    world = matched(differing(100))
    for one in before:
        world.do(one)
    assert reason in world.refused(command).message


def test_differences_that_are_accepted_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "settlement_acceptances_max", 1)
    world = matched(differing(200, rows=2))
    world.do(ACCEPT)
    assert "At most 1" in world.refused(msgspec.structs.replace(ACCEPT, position=2)).message
