"""The balance: what is available, and what will be."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

import msgspec

from fastpay.api import answers
from fastpay.api.common_params import NoParams
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.resource import Encoding, Resource
from fastpay.api.routes import Contract, Policy, Route
from fastpay.domain import kinds
from fastpay.domain.funds import Balance
from fastpay.domain.ledger import Account

_SHOWN_CODES = ("available", "pending")
# The currency of a balance that nothing has ever moved.
_FIRST_CURRENCY = "usd"


class _Reserved(TypedDict):
    amount: int
    currency: str


class _Funds(_Reserved):
    source_types: dict[str, int]


class _Shown(TypedDict):
    object: Literal["balance"]
    available: list[_Funds]
    connect_reserved: list[_Reserved]
    instant_available: list[_Funds]
    livemode: bool
    pending: list[_Funds]


def _render_stored(stored: msgspec.Struct, livemode: bool, whole: bytes | None = None) -> bytes:
    """Return, in JSON, the balance as events show it."""
    assert isinstance(stored, Balance)
    shown = show_balance({"available": stored.available, "pending": stored.pending}, livemode)
    return msgspec.json.encode(shown)


# As a stored object, only events show it: it is what the balance was then.
BALANCE = Resource(kinds.BALANCE, encode=Encoding(_Shown, _render_stored))


class RetrieveBalance:
    """The endpoint that shows the available and the pending balance."""

    policy = Policy()
    contract = Contract(NoParams, BALANCE)

    async def answer(self, call: Call) -> Reply:
        """Show the balance. Raises: FastpayError."""
        params = decode_query(NoParams, call.query)
        answers.check_expansions(call, None, params.expand)
        accounts = await call.services.reader.accounts(call.scope)
        return Reply(body=msgspec.json.encode(render_balance(accounts, call.scope.livemode)))


def render_balance(accounts: Sequence[Account], livemode: bool) -> _Shown:
    """Return the balance over the accounts of one tenant and mode, a line a currency."""
    amounts: dict[str, dict[str, int]] = {code: {} for code in _SHOWN_CODES}
    for account in accounts:
        if account.code in _SHOWN_CODES:
            amounts[account.code][account.currency] = account.balance
    return show_balance(amounts, livemode)


def show_balance(amounts: Mapping[str, Mapping[str, int]], livemode: bool) -> _Shown:
    """Return the balance with these amounts, by account and by currency."""
    available, pending = (amounts[code] for code in _SHOWN_CODES)
    currencies = sorted(available.keys() | pending.keys()) or [_FIRST_CURRENCY]
    return {
        "object": "balance",
        "available": [_funds(available.get(currency, 0), currency) for currency in currencies],
        "connect_reserved": [{"amount": 0, "currency": currency} for currency in currencies],
        "instant_available": [
            _funds(max(0, available.get(currency, 0)), currency) for currency in currencies
        ],
        "livemode": livemode,
        "pending": [_funds(pending.get(currency, 0), currency) for currency in currencies],
    }


def _funds(amount: int, currency: str) -> _Funds:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}


RESOURCES = (BALANCE,)
ROUTES = (Route("GET", "/v1/balance", RetrieveBalance()),)
