"""The balance, its transactions, and the envelopes around objects."""

from typing import Any

import msgspec
import pytest
import stripe

from fastpay.api.envelopes import render_list, render_search_result
from fastpay.api.resources.balance import render_balance
from fastpay.api.resources.balances import render_balance_transaction
from fastpay.domain.ledger import Account, Transfer, credit, debit, open_account
from fastpay.domain.objects import Charge, Refund
from tests.support import samples
from tests.support.dialect import example, missing_keys, violations
from tests.support.samples import SCOPE, captured_charge, transfer


def account(code: str, currency: str, amount: int) -> Account:
    opened = open_account(SCOPE, currency, code)
    move = credit if opened.normal_side == "C" else debit
    return move(opened, posted=amount)


ACCOUNTS = [
    account("processor", "usd", 700),
    account("pending", "usd", 500),
    account("available", "usd", 170),
    account("fees", "usd", 30),
    account("pending", "eur", 90),
]


def funds(amount: int, currency: str) -> dict[str, object]:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}


def test_a_balance_has_a_line_for_each_currency_that_ever_moved() -> None:
    balance = render_balance(ACCOUNTS, False)
    assert balance["available"] == [funds(0, "eur"), funds(170, "usd")]
    assert balance["pending"] == [funds(90, "eur"), funds(500, "usd")]


def test_a_balance_does_not_depend_on_the_order_of_the_accounts() -> None:
    assert render_balance(ACCOUNTS[::-1], False) == render_balance(ACCOUNTS, False)


def test_the_currencies_of_a_balance_are_in_order() -> None:
    currencies = ["usd", "eur", "chf", "gbp", "jpy", "sek", "aud"]
    balance = render_balance([account("available", currency, 1) for currency in currencies], False)
    assert balance["available"] == [funds(1, currency) for currency in sorted(currencies)]


def test_a_balance_that_nothing_ever_moved_shows_zero_dollars() -> None:
    balance = render_balance([], True)
    assert (balance["available"], balance["pending"]) == ([funds(0, "usd")], [funds(0, "usd")])
    assert balance["livemode"] is True


def test_a_balance_may_be_below_zero() -> None:
    balance = render_balance([debit(open_account(SCOPE, "usd", "available"), posted=5)], False)
    assert balance["available"] == [funds(-5, "usd")]


@pytest.mark.parametrize("accounts", [[], ACCOUNTS])
def test_a_balance_has_the_shape_of_the_dialect(accounts: list[Account]) -> None:
    balance = render_balance(accounts, False)
    assert violations(balance, stripe.Balance) == []
    assert missing_keys(balance, example("balance")) == []


def shown_transaction(moved: Transfer, source: Charge | Refund) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.json.decode(render_balance_transaction(moved, 1_000, source))
    return shown


def test_a_capture_adds_its_amount_less_the_fee() -> None:
    shown = shown_transaction(transfer(), captured_charge())
    assert (shown["id"], shown["source"]) == (samples.TRANSACTION_ID, samples.CHARGE_ID)
    assert (shown["amount"], shown["fee"], shown["net"]) == (2000, 88, 1912)
    assert (shown["type"], shown["reporting_category"]) == ("charge", "charge")
    assert (shown["status"], shown["created"], shown["available_on"]) == ("pending", 1_000, 173_800)
    details = shown["fee_details"]
    assert isinstance(details, list)
    assert [(detail["amount"], detail["currency"]) for detail in details] == [(88, "usd")]


def test_funds_that_are_available_at_once_say_so() -> None:
    shown = shown_transaction(transfer(), captured_charge(funds_available=True))
    assert (shown["status"], shown["available_on"]) == ("available", 1_000)


def test_funds_are_available_after_the_delay_that_applied_to_the_capture() -> None:
    shown = shown_transaction(transfer(), captured_charge(funds_delay_days=7))
    assert (shown["status"], shown["available_on"]) == ("pending", 1_000 + 7 * 24 * 3600)


def test_a_capture_without_a_fee_details_none() -> None:
    shown = shown_transaction(transfer(), captured_charge(fee=0))
    assert (shown["fee_details"], shown["net"]) == ([], 2000)


def test_a_refund_takes_its_amount_away() -> None:
    shown = shown_transaction(transfer("refund", amount=500), samples.refund())
    assert (shown["amount"], shown["fee"], shown["net"]) == (-500, 0, -500)
    assert (shown["type"], shown["source"], shown["fee_details"]) == ("refund", samples.REFUND_ID, [])
    assert shown["available_on"] == 1_000


@pytest.mark.parametrize("source", [captured_charge(), captured_charge(fee=0), samples.refund()])
def test_a_balance_transaction_has_the_shape_of_the_dialect(source: Charge | Refund) -> None:
    shown = shown_transaction(transfer(), source)
    assert violations(shown, stripe.BalanceTransaction) == []
    assert missing_keys(shown, example("balance_transaction")) == []


def test_a_list_is_a_page_with_its_address() -> None:
    page = render_list("/v1/refunds", [{"id": "re_1"}], True)
    assert list(page.items()) == [
        ("object", "list"),
        ("url", "/v1/refunds"),
        ("has_more", True),
        ("data", [{"id": "re_1"}]),
    ]


def test_a_search_result_says_how_to_go_on() -> None:
    page = render_search_result("/v1/customers/search", [], True, "abc")
    assert list(page) == ["object", "url", "has_more", "next_page", "data"]
    assert (page["object"], page["next_page"]) == ("search_result", "abc")
    assert violations(page, stripe.SearchResultObject) == []
