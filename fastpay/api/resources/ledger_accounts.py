"""Accounts of the ledger."""

from typing import Annotated, ClassVar, Literal, TypedDict

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.common_params import Metadata, NoParams, Params, Text, first_metadata, told
from fastpay.api.context import Call
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import List
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Encoding, Reference, Resource
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds, money
from fastpay.domain.identifiers import digits
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_objects import LedgerAccount

Code = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.ledger_code_chars_max,
        pattern="^[!-~]+$(?!\\n)",
        extra=told("printable ASCII without spaces"),
    ),
]
MinBalance = Annotated[int, Meta(ge=-limits.balance_max, le=0)]

_SIDES = {"debit": "D", "credit": "C"}
_LETTERS = {letter: side for side, letter in _SIDES.items()}


class CreateAccountParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open an account."""

    creates: ClassVar[bool] = True
    chosen_names: ClassVar[frozenset[str]] = frozenset({"code"})

    code: Code
    currency: Text
    metadata: Metadata | UnsetType | None = UNSET
    min_balance: MinBalance | None = None
    normal_side: Literal["debit", "credit"]


class AccountListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accounts, those with one code."""

    code: Code | UnsetType = UNSET


class _Shown(TypedDict):
    id: str
    object: Literal["ledger_account"]
    balance: str
    code: str
    created: int | None
    currency: str
    livemode: bool
    metadata: dict[str, str]
    min_balance: int | None
    normal_side: str


def _encode(account: msgspec.Struct, livemode: bool, whole: bytes | None = None) -> bytes:
    """Return the account in JSON. Its balance changes with every transfer, and is only named here."""
    assert isinstance(account, LedgerAccount)
    shown: _Shown = {
        "id": account.id,
        "object": "ledger_account",
        "balance": "lbal_" + digits(account.id),
        "code": account.code,
        "created": account.created or None,
        "currency": account.currency,
        "livemode": livemode,
        "metadata": account.metadata,
        "min_balance": account.min_balance,
        "normal_side": _LETTERS[account.normal_side],
    }
    return msgspec.json.encode(shown)


LEDGER_ACCOUNT = Resource(
    kinds.LEDGER_ACCOUNT,
    encode=Encoding(_Shown, _encode),
    expandable={"balance": Reference((kinds.LEDGER_BALANCE,))},
)


def create(call: Call, params: CreateAccountParams) -> CreateLedgerAccount:
    """Open an account."""
    return CreateLedgerAccount(
        currency=money.parse_currency(params.currency),
        code=params.code,
        normal_side=_SIDES[params.normal_side],
        min_balance=params.min_balance,
        metadata=first_metadata(params.metadata),
    )


RESOURCES = (LEDGER_ACCOUNT,)
ROUTES = (
    Route("POST", "/v1/ledger/accounts", Write(LEDGER_ACCOUNT, CreateAccountParams, create)),
    Route("GET", "/v1/ledger/accounts", List(LEDGER_ACCOUNT, AccountListParams, filters={"code": None})),
    Route("GET", "/v1/ledger/accounts/{id}", Retrieve(LEDGER_ACCOUNT, NoParams)),
)
