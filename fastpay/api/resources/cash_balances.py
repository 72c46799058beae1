"""Customers' cash balances, their transactions, and where to transfer money to."""

from collections.abc import Sequence
from typing import ClassVar, Literal, TypedDict

import msgspec
from msgspec import UNSET, UnsetType

from fastpay.api import answers
from fastpay.api.bank_shapes import FinancialAddresses
from fastpay.api.common_params import Name, NoParams, Params, Part, Text, value_or
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.layout import Field, Json, Mode, Shape, When, fields
from fastpay.api.list_params import ListParams
from fastpay.api.lists import List, Owner, RetrieveBelow, require_owner
from fastpay.api.resource import ALWAYS_NULL, Encoding, Reference, Resource, Snapshot
from fastpay.api.resources.payment_intents.options import BankTransfer
from fastpay.api.routes import Contract, Policy, Route
from fastpay.api.writes import Write
from fastpay.domain import bank_transfers, kinds, money
from fastpay.domain.cash_balances import CreateFundingInstructions, FundCashBalance, UpdateCashBalance
from fastpay.domain.cash_objects import balance_of
from fastpay.domain.objects import Cash, Customer
from fastpay.errors import InvalidRequest


class SettingsParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How money that arrives is applied to payments."""

    reconciliation_mode: Literal["automatic", "manual", "merchant_default"] | UnsetType = UNSET


class UpdateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Update the settings of a cash balance."""

    settings: SettingsParams | UnsetType = UNSET


class FundParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Receive a bank transfer of a customer, in test mode."""

    creates: ClassVar[bool] = True

    amount: int
    currency: Text
    reference: Name | UnsetType = UNSET


class InstructionsParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say where a customer transfers money to."""

    creates: ClassVar[bool] = True

    bank_transfer: BankTransfer
    currency: Text
    funding_type: Literal["bank_transfer"]


class _Settings(TypedDict):
    reconciliation_mode: str
    using_merchant_default: bool


class _Shown(TypedDict):
    object: Literal["cash_balance"]
    available: dict[str, int] | None
    customer: str
    customer_account: str | None
    livemode: bool
    settings: _Settings


def _render_balance(stored: msgspec.Struct, livemode: bool, whole: bytes | None = None, /) -> bytes:
    """Return, in JSON, the cash balance of a customer."""
    assert isinstance(stored, Customer)
    cash = stored.cash or Cash()
    mode = cash.reconciliation_mode
    shown: _Shown = {
        "object": "cash_balance",
        "available": dict(sorted(cash.available.items())) or None,
        "customer": stored.id,
        "customer_account": None,
        "livemode": livemode,
        "settings": {"reconciliation_mode": mode or "automatic", "using_merchant_default": mode is None},
    }
    return msgspec.json.encode(shown)


async def _load(snapshot: Snapshot, identifiers: Sequence[str]) -> dict[str, dict[str, object]]:
    """Return the cash balances of the customers that exist."""
    named = [f"{kinds.CUSTOMER.prefix}_{identifier[-32:]}" for identifier in identifiers]
    found = await snapshot.load(named)
    return {
        balance_of(identifier): CASH_BALANCE.render(versioned.object, snapshot.scope.livemode)
        for identifier, versioned in found.items()
        if isinstance(versioned.object, Customer) and not versioned.object.deleted
    }


CASH_BALANCE = Resource(
    kinds.CASH_BALANCE, encode=Encoding(_Shown, _render_balance), load=_load, struct=Customer
)

# What the payer's bank says about a transfer. Test mode has no bank, so it says what can be said of none.
_SENDERS: dict[str, Shape] = {
    "eu_bank_transfer": {"bic": None, "iban_last4": None, "sender_name": None},
    "gb_bank_transfer": {"account_number_last4": None, "sender_name": None, "sort_code": None},
    "jp_bank_transfer": {"sender_bank": None, "sender_branch": None, "sender_name": None},
    "us_bank_transfer": {"network": "ach", "sender_name": None},
}
_FUNDED: Shape = {
    "bank_transfer": {
        **{name: When("bank_transfer", sender, equals=name) for name, sender in _SENDERS.items()},
        "reference": Field("reference"),
        "type": Field("bank_transfer"),
    }
}
_PAYMENT: Shape = {"payment_intent": Field("payment_intent")}

CASH_TRANSACTION = Resource(
    kinds.CASH_TRANSACTION,
    shape={
        "id": Field("id"),
        "object": "customer_cash_balance_transaction",
        "adjusted_for_overdraft": None,
        "applied_to_payment": When("type", _PAYMENT, equals="applied_to_payment"),
        **fields("created", "currency", "customer"),
        "customer_account": None,
        "ending_balance": Field("ending_balance"),
        "funded": When("type", _FUNDED, equals="funded"),
        "livemode": Mode(),
        "net_amount": Field("net_amount"),
        "refunded_from_payment": When("type", {"refund": Field("refund")}, equals="refunded_from_payment"),
        "transferred_to_balance": None,
        "type": Field("type"),
        "unapplied_from_payment": When("type", _PAYMENT, equals="unapplied_from_payment"),
    },
    expandable={
        "adjusted_for_overdraft.balance_transaction": ALWAYS_NULL,
        "adjusted_for_overdraft.linked_transaction": ALWAYS_NULL,
        "applied_to_payment.payment_intent": Reference((kinds.PAYMENT_INTENT,)),
        "customer": Reference((kinds.CUSTOMER,)),
        "refunded_from_payment.refund": Reference((kinds.REFUND,)),
        "transferred_to_balance.balance_transaction": ALWAYS_NULL,
        "unapplied_from_payment.payment_intent": Reference((kinds.PAYMENT_INTENT,)),
    },
)

# The dialect shows neither identifier nor customer.
FUNDING_INSTRUCTIONS = Resource(
    kinds.FUNDING_INSTRUCTIONS,
    shape={
        "object": "funding_instructions",
        "bank_transfer": {
            "country": Field("country"),
            "financial_addresses": Json("financial_addresses", FinancialAddresses),
            "type": Field("type"),
        },
        "currency": Field("currency"),
        "funding_type": "bank_transfer",
        "livemode": Mode(),
    },
)


class RetrieveCashBalance:
    """The endpoint that shows the cash balance of a customer."""

    policy = Policy()
    contract = Contract(NoParams, CASH_BALANCE)

    async def answer(self, call: Call) -> Reply:
        """Show the balance. Raises: NotFound."""
        params = decode_query(NoParams, call.query)
        answers.check_expansions(call, CASH_BALANCE, params.expand)
        customer = await require_owner(call, kinds.CUSTOMER)
        return Reply(body=CASH_BALANCE.render_bytes(customer, call.scope.livemode))


def update(call: Call, params: UpdateParams) -> UpdateCashBalance:
    """Update the settings."""
    settings = value_or(params.settings, SettingsParams())
    mode = value_or(settings.reconciliation_mode, None)
    return UpdateCashBalance(
        customer=call.arguments["id"],
        reconciliation_mode=None if mode == "merchant_default" else mode,
        is_given=mode is not None,
    )


def fund(call: Call, params: FundParams) -> FundCashBalance:
    """Receive a bank transfer. In live mode the bank sends them."""
    return FundCashBalance(
        customer=call.arguments["id"],
        amount=money.check_amount(params.amount),
        currency=money.parse_currency(params.currency),
        reference=value_or(params.reference, None),
    )


def create_instructions(call: Call, params: InstructionsParams) -> CreateFundingInstructions:
    """Say where to transfer money to. Raises: InvalidRequest for another currency than the transfer's."""
    transfer, currency = params.bank_transfer, money.parse_currency(params.currency)
    wanted = bank_transfers.CURRENCIES[transfer.known_type]
    if currency != wanted:
        raise InvalidRequest(
            f"The currency {currency} is invalid for {transfer.known_type}, which takes {wanted} only.",
            param="currency",
        )
    return CreateFundingInstructions(
        customer=call.arguments["id"],
        bank_transfer=transfer.known_type,
        currency=currency,
        country=transfer.chosen_country("bank_transfer"),
        requested_address_types=value_or(transfer.requested_address_types, None),
    )


_CUSTOMER = kinds.CUSTOMER
_OWNER = Owner(_CUSTOMER, "customer")
_BALANCE = "/v1/customers/{id}/cash_balance"
_TRANSACTIONS = "/v1/customers/{id}/cash_balance_transactions"

RESOURCES = (CASH_BALANCE, CASH_TRANSACTION, FUNDING_INSTRUCTIONS)
ROUTES = (
    Route("GET", _BALANCE, RetrieveCashBalance()),
    Route("POST", _BALANCE, Write(CASH_BALANCE, UpdateParams, update, path_kind=_CUSTOMER)),
    Route("GET", _TRANSACTIONS, List(CASH_TRANSACTION, ListParams, owner=_OWNER)),
    Route("GET", _TRANSACTIONS + "/{transaction}", RetrieveBelow(CASH_TRANSACTION, _OWNER, "transaction")),
    Route(
        "POST",
        "/v1/customers/{id}/funding_instructions",
        Write(FUNDING_INSTRUCTIONS, InstructionsParams, create_instructions, path_kind=_CUSTOMER),
    ),
    Route(
        "POST",
        "/v1/test_helpers/customers/{id}/fund_cash_balance",
        Write(CASH_TRANSACTION, FundParams, fund, path_kind=_CUSTOMER),
    ),
)
