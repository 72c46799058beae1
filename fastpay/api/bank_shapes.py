"""Addresses of bank accounts, as they are shown where a customer is told to transfer money."""

from typing import Literal, TypedDict


class Place(TypedDict):
    """Where a bank or the holder of an account is."""

    city: str | None
    country: str | None
    line1: str | None
    line2: str | None
    postal_code: str | None
    state: str | None


class _Account(TypedDict):
    account_holder_address: Place
    account_holder_name: str
    bank_address: Place


class BankAccount(_Account, total=False):
    """An account, with what its type of address names it by."""

    account_number: str
    account_type: str
    bank_code: str
    bank_name: str
    bic: str
    branch_code: str
    branch_name: str
    clabe: str
    country: str
    iban: str
    routing_number: str
    sort_code: str
    swift_code: str


class _Address(TypedDict):
    supported_networks: list[str]
    type: Literal["aba", "iban", "sort_code", "spei", "swift", "zengin"]


class FinancialAddress(_Address, total=False):
    """An address that money can be transferred to: the account is under the name of the type."""

    aba: BankAccount
    iban: BankAccount
    sort_code: BankAccount
    spei: BankAccount
    swift: BankAccount
    zengin: BankAccount


FinancialAddresses = list[FinancialAddress]
