"""The ledger: four counters, bounds, and accounts that nobody shares."""

import msgspec
import pytest

from fastpay.domain import ledger
from fastpay.domain.identifiers import Scope
from fastpay.domain.money import CURRENCIES
from fastpay.errors import InsufficientFunds
from tests.support.world import SCOPE


def bounded(code: str, minimum: int | None) -> ledger.Account:
    """Return a new account with a bound."""
    return msgspec.structs.replace(ledger.open_account(SCOPE, "usd", code), min_balance=minimum)


def test_a_balance_is_on_the_normal_side() -> None:
    assert ledger.debit(bounded("processor", None), posted=5).balance == 5
    assert ledger.credit(bounded("processor", None), posted=5).balance == -5
    assert ledger.credit(bounded("pending", None), posted=5).balance == 5
    assert ledger.debit(bounded("pending", None), posted=5).balance == -5


def test_pending_amounts_do_not_count_as_balance() -> None:
    account = ledger.credit(bounded("pending", None), pending=5)
    assert (account.balance, account.credits_pending) == (0, 5)


def test_a_bound_allows_exactly_what_is_there() -> None:
    account = ledger.credit(bounded("available", 0), posted=100)
    assert ledger.debit(account, posted=100).balance == 0
    with pytest.raises(InsufficientFunds):
        ledger.debit(account, posted=101)


def test_what_is_reserved_on_the_way_out_is_gone_and_on_the_way_in_not_there() -> None:
    account = ledger.credit(bounded("available", 0), posted=100)
    held = ledger.debit(account, pending=60)
    with pytest.raises(InsufficientFunds):
        ledger.debit(held, posted=41)
    with pytest.raises(InsufficientFunds):
        ledger.debit(held, pending=41)
    assert ledger.debit(held, posted=40).balance == 60
    hoping = ledger.credit(account, pending=1000)
    with pytest.raises(InsufficientFunds):
        ledger.debit(hoping, posted=101)


def test_a_bound_holds_on_the_debit_side_too() -> None:
    account = ledger.debit(bounded("processor", -10), posted=5)
    assert ledger.credit(account, posted=15).balance == -10
    with pytest.raises(InsufficientFunds):
        ledger.credit(account, posted=16)
    with pytest.raises(InsufficientFunds):
        ledger.credit(account, pending=16)


def test_releasing_more_than_is_held_is_our_own_fault() -> None:
    with pytest.raises(AssertionError):
        ledger.debit(bounded("processor", None), pending=-1)
    with pytest.raises(AssertionError):
        ledger.credit(bounded("pending", None), pending=-1)


def test_no_two_tenants_modes_currencies_or_codes_share_an_account() -> None:
    scopes = [Scope("a" * 32, False), Scope("a" * 32, True), Scope("b" * 32, False)]
    made = [
        identifier
        for scope in scopes
        for currency in sorted(CURRENCIES)
        for identifier in ledger.chart(scope, currency).values()
    ]
    assert len(set(made)) == len(scopes) * len(CURRENCIES) * len(ledger.NORMAL_SIDES)


def test_an_account_is_found_again_by_what_it_is_for() -> None:
    account = ledger.open_account(SCOPE, "eur", "fees")
    assert account.id == ledger.account_id(SCOPE, "eur", "fees")
    assert account.normal_side == "C"
