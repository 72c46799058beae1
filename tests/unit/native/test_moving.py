"""The plain case of a transfer: what the rules of all transfers make, or nothing at all."""

import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native import moving
from fastpay._native.identifiers import IdentifierSequence
from fastpay._native.moving import Moves
from fastpay.domain.ledger import Account, Transfer
from tests.reference import identifiers as plain
from tests.reference import moving as oracle

_MOST = limits.ledger_counter_max
_NAMES = ["lacc_1", "lacc_2", "lacc_3"]
_COUNTERS = st.sampled_from([0, 1, _MOST - 5, _MOST - 1, _MOST]) | st.integers(0, _MOST)
_HEAD, _TAIL = 7 << 12, b"\0" * 8
_BY_RULES = "by the rules"


class _Draft(Moves):
    """Notes what is left to the rules. The codes of accounts are their identifiers."""

    __slots__ = ("accounts", "charts", "identifiers", "left", "loaded", "transfers")

    def __init__(self, moved: dict[str, Any], loaded: dict[str, Any]) -> None:
        self.accounts, self.loaded = moved, loaded
        self.charts = {"usd": {name: name for name in _NAMES}}
        self.identifiers = IdentifierSequence(_HEAD, _TAIL)
        self.transfers: list[Transfer] = []
        self.left: Any = None

    def transfer_by_rules(self, *values: Any) -> str:
        self.left = values
        return _BY_RULES

    def chart(self, currency: str) -> dict[str, str]:
        return {name: f"{name}_{currency}" for name in _NAMES}


class _Bounded(_Draft):
    __slots__ = ()


moving.prepare(_Draft, Account, Transfer, _MOST)
moving.prepare(_Bounded, Account, Transfer, 100)


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


_PHASES = st.sampled_from(["posted", "hold", "post", "void", "posted", "hold", "post", "void", "other"])


@given(
    _accounts(),
    _accounts(),
    st.sampled_from(_NAMES),
    st.sampled_from(_NAMES),
    st.sampled_from([-1, 0, 1, 5, 2000, 10**30]) | _COUNTERS,
    st.sampled_from([-1, 0, 1, 5, 2000, 10**30]) | _COUNTERS,
    _PHASES,
    st.booleans(),
)
def test_a_plain_transfer_is_that_of_the_rules_and_any_other_changes_nothing(
    moved: dict[str, Account],
    loaded: dict[str, Account],
    debit: str,
    credit: str,
    amount: int,
    held: int,
    phase: str,
    is_usual: bool,
) -> None:
    ends = phase in ("post", "void")
    hold = ("tr_9", held) if ends == is_usual else None
    expected, draft = dict(moved), _Draft(moved, loaded)
    counted = plain.IdentifierSequence(_HEAD, _TAIL)
    values = ("capture", phase, debit, credit, "usd", amount, "ch_1", hold)
    transfer = None
    if phase != "other" and not amount >= 1 << 61:
        transfer = oracle.move(values, expected, loaded, _MOST, counted.next)
    made = draft.transfer(
        "capture",
        debit=debit,
        credit=credit,
        currency="usd",
        amount=amount,
        source_id="ch_1",
        phase=phase,
        hold=hold,
    )
    if transfer is None:
        assert (made, draft.left, draft.transfers) == (_BY_RULES, values, [])
    else:
        assert (made, draft.transfers) == (transfer.id, [transfer])
    assert moved == expected
    # An identifier is used up only by a transfer.
    assert draft.identifiers.next("tr") == counted.next("tr")


def _move(source: Any, target: Any, amount: Any, *, phase: str = "posted", hold: Any = None) -> Any:
    """Return what is made of a transfer, None if it is left to the rules."""
    draft = _Bounded({}, {"lacc_1": source, "lacc_2": target})
    draft.transfer(
        "fee",
        debit="lacc_1",
        credit="lacc_2",
        currency="usd",
        amount=amount,
        source_id="ch_1",
        phase=phase,
        hold=hold,
    )
    return draft.transfers[0] if draft.transfers else None


@pytest.mark.parametrize(
    ("phase", "hold", "posted", "pending"),
    [
        ("posted", None, 17, 20),
        ("hold", None, 10, 27),
        ("post", ("tr_9", 15), 17, 5),
        ("void", ("tr_9", 15), 10, 5),
    ],
)
def test_what_a_transfer_moves_and_reserves(
    phase: str, hold: tuple[str, int] | None, posted: int, pending: int
) -> None:
    source = Account("lacc_1", "pending", "usd", "C", debits_posted=10, debits_pending=20)
    target = Account("lacc_2", "fees", "usd", "C", credits_posted=10, credits_pending=20)
    draft = _Draft({}, {"lacc_1": source, "lacc_2": target})
    made = draft.transfer(
        "fee",
        debit="lacc_1",
        credit="lacc_2",
        currency="usd",
        amount=7,
        source_id="ch_1",
        phase=phase,
        hold=hold,
    )
    debited, credited = draft.accounts["lacc_1"], draft.accounts["lacc_2"]
    assert debited == msgspec.structs.replace(source, debits_posted=posted, debits_pending=pending)
    assert credited == msgspec.structs.replace(target, credits_posted=posted, credits_pending=pending)
    hold_id = None if hold is None else "tr_9"
    assert draft.transfers == [Transfer(made, "fee", phase, "lacc_1", "lacc_2", "usd", 7, "ch_1", hold_id)]


def test_the_counters_of_an_account_come_to_the_maximum_and_not_beyond_it() -> None:
    source = Account("lacc_1", "pending", "usd", "C", debits_posted=3, debits_pending=4)
    target = Account("lacc_2", "fees", "usd", "C", credits_posted=4, credits_pending=3)
    assert _move(source, target, 93) is not None
    assert _move(source, target, 94) is None
    assert _move(source, target, 94, phase="hold") is None


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
    assert _move(source, target, 1) is None


def test_an_amount_that_is_no_whole_number_is_left_to_the_rules() -> None:
    source, target = Account("lacc_1", "pending", "usd", "C"), Account("lacc_2", "fees", "usd", "C")
    for wrong in (1.0, True, "1", None):
        assert _move(source, target, wrong) is None
        assert _move(source, target, 1, phase="void", hold=("tr_9", wrong)) is None


def test_no_reference_is_left_behind() -> None:
    source, target = Account("lacc_1", "pending", "usd", "C"), Account("lacc_2", "fees", "usd", "C")
    before = sys.getrefcount(source), sys.getrefcount(source.code), sys.getrefcount(Account)
    for amount in (5, -1, 1 << 80):
        for _ in range(1_000):
            _move(source, target, amount)
    assert (sys.getrefcount(source), sys.getrefcount(source.code), sys.getrefcount(Account)) == before


def test_an_account_without_identifier_is_left_to_the_rules() -> None:
    draft = _Draft({}, {"lacc_1": Account("lacc_1", "pending", "usd", "C")})
    made = draft.transfer("fee", debit="lacc_1", credit="acct_1", currency="usd", amount=1, source_id="ch_1")
    assert (made, draft.transfers, draft.accounts) == (_BY_RULES, [], {})


def test_the_identifiers_of_another_currency_are_looked_up() -> None:
    names = [f"{name}_eur" for name in _NAMES]
    draft = _Draft({}, {name: Account(name, "pending", "eur", "C") for name in names})
    draft.transfer("fee", debit="lacc_1", credit="lacc_2", currency="eur", amount=1, source_id="ch_1")
    assert set(draft.accounts) == set(names[:2])


def test_what_is_no_draft_is_refused() -> None:
    with pytest.raises(AttributeError, match="lacks"):
        _Draft.__new__(_Draft).transfer("fee", debit="a", credit="b", currency="usd", amount=1, source_id="c")
    with pytest.raises(KeyError):
        Moves().transfer("fee", debit="a", credit="b", currency="usd", amount=1, source_id="c")
    with pytest.raises(TypeError, match="does not inherit"):
        moving.prepare(Account, Account, Transfer, 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="has no field charts"):
        moving.prepare(Moves, Account, Transfer, 1)


def test_types_with_other_fields_are_refused() -> None:
    class Other(msgspec.Struct):
        id: str

    with pytest.raises(TypeError, match="Other"):
        moving.prepare(_Draft, Other, Transfer, 1)
    with pytest.raises(TypeError, match="Account"):
        moving.prepare(_Draft, Account, Account, 1)
