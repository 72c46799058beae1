"""The plain case of a transfer: what the rules of all transfers make, or nothing at all."""

import sys
from operator import neg
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native.identifiers import IdentifierSequence
from fastpay._native.moving import Mover
from fastpay.domain.ledger import Account, Transfer
from tests.reference import identifiers as plain
from tests.reference import moving as oracle

_MOVER = Mover(Account, Transfer)
_MOST = limits.ledger_counter_max
_NAMES = ["lacc_1", "lacc_2", "lacc_3"]
_COUNTERS = st.sampled_from([0, 1, _MOST - 5, _MOST - 1, _MOST]) | st.integers(0, _MOST)
_HEAD, _TAIL = 7 << 12, b"\0" * 8


@st.composite
def _accounts(draw: st.DrawFn) -> dict[str, Account]:
    return {
        name: Account(
            name,
            "pending",
            "usd",
            draw(st.sampled_from("CD")),
            debits_posted=draw(_COUNTERS),
            credits_posted=draw(_COUNTERS),
            debits_pending=draw(_COUNTERS),
            credits_pending=draw(_COUNTERS),
            min_balance=draw(st.none() | st.none() | st.just(0)),
        )
        for name in draw(st.lists(st.sampled_from(_NAMES), unique=True))
    }


@given(
    _accounts(),
    _accounts(),
    st.sampled_from(_NAMES),
    st.sampled_from(_NAMES),
    st.sampled_from([-1, 0, 1, 5, 2000, 10**30]) | _COUNTERS,
    st.sampled_from([0, 1, -1, 5, -5, 2000, -2000, 10**30, -(10**30)]) | _COUNTERS | _COUNTERS.map(neg),
    st.sampled_from([("posted", None), ("hold", None), ("void", "tr_9")]),
)
def test_a_plain_transfer_is_that_of_the_rules_and_any_other_changes_nothing(
    moved: dict[str, Account],
    loaded: dict[str, Account],
    debit: str,
    credit: str,
    amount: int,
    reserved: int,
    phase: tuple[str, str | None],
) -> None:
    values = ("capture", phase[0], debit, credit, "usd", 7, "ch_1", phase[1])
    expected = dict(moved)
    identifiers, counted = IdentifierSequence(_HEAD, _TAIL), plain.IdentifierSequence(_HEAD, _TAIL)
    transfer = oracle.move(values, (amount, reserved), expected, loaded, _MOST, counted.next)
    assert _MOVER.reserve(values, amount, reserved, moved, loaded, _MOST, identifiers) == transfer
    assert moved == expected
    # An identifier is used up only by a transfer.
    assert identifiers.next("tr") == counted.next("tr")


def _move(source: Any, target: Any, amount: Any, most: int = _MOST, reserved: Any = 0) -> Any:
    """Return what is made of a transfer that is posted, which both ways have to agree about."""
    loaded, names = {"lacc_1": source, "lacc_2": target}, ("lacc_1", "lacc_2", "usd", amount, "ch_1")
    values = ("fee", "posted", *names, None)
    made = _MOVER.reserve(values, amount, reserved, {}, loaded, most, IdentifierSequence(_HEAD, _TAIL))
    if type(reserved) is int and reserved == 0:
        assert _MOVER.move("fee", *names, {}, loaded, most, IdentifierSequence(_HEAD, _TAIL)) == made
    return made


def test_the_counters_of_an_account_come_to_the_maximum_and_not_beyond_it() -> None:
    source = Account("lacc_1", "pending", "usd", "C", debits_posted=3, debits_pending=4)
    target = Account("lacc_2", "fees", "usd", "C", credits_posted=4, credits_pending=3)
    assert _move(source, target, 93, 100) is not None
    assert _move(source, target, 94, 100) is None


@pytest.mark.parametrize(
    "source",
    [
        None,
        "account",
        Transfer("tr_1", "fee", "posted", "lacc_1", "lacc_2", "usd", 1, "ch_1"),
        Account("lacc_1", "pending", "usd", "C", debits_posted=1 << 62),
        Account("lacc_1", "pending", "usd", "C", debits_posted=1.0),  # type: ignore[arg-type]
        Account("lacc_1", "pending", "usd", "C", debits_pending=-1),
    ],
)
def test_what_is_no_plain_account_is_left_to_the_rules(source: Any) -> None:
    target = Account("lacc_2", "fees", "usd", "C")
    assert _move(source, target, 1, 1 << 60) is None


def test_an_amount_that_is_no_whole_number_is_left_to_the_rules() -> None:
    source, target = Account("lacc_1", "pending", "usd", "C"), Account("lacc_2", "fees", "usd", "C")
    for wrong in (1.0, True, "1", None):
        assert _move(source, target, wrong) is None
        assert _move(source, target, 1, reserved=wrong) is None


def test_no_reference_is_left_behind() -> None:
    source, target = Account("lacc_1", "pending", "usd", "C"), Account("lacc_2", "fees", "usd", "C")
    before = sys.getrefcount(source), sys.getrefcount(source.code), sys.getrefcount(Account)
    for amount in (5, -1, 1 << 80):
        for _ in range(1_000):
            _move(source, target, amount)
    assert (sys.getrefcount(source), sys.getrefcount(source.code), sys.getrefcount(Account)) == before


def test_a_transfer_with_other_fields_is_refused() -> None:
    with pytest.raises(TypeError, match="other fields"):
        _MOVER.reserve(("fee",), 1, 1, {}, {}, _MOST, IdentifierSequence(_HEAD, _TAIL))  # type: ignore[arg-type]


def test_types_with_other_fields_are_refused() -> None:
    class Other(msgspec.Struct):
        id: str

    with pytest.raises(TypeError, match="Other"):
        Mover(Other, Transfer)
    with pytest.raises(TypeError, match="Account"):
        Mover(Account, Account)
