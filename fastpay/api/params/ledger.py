"""What requests about the ledger may say."""

from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.params.common import Identifier, Metadata, Params, Part, Text
from fastpay.api.params.lists import CreatedListParams, ListParams

# A sign of its own for what is counted from 1970 and must fit the database.
Second = Annotated[int, Meta(ge=0, le=limits.second_max)]
Code = Annotated[str, Meta(min_length=1, max_length=limits.ledger_code_chars_max, pattern="^[!-~]+$(?!\\n)")]
MinBalance = Annotated[int, Meta(ge=-limits.balance_max, le=0)]


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


class CreateTransferParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Move an amount, or hold it."""

    creates: ClassVar[bool] = True

    amount: int
    credit_account: Identifier
    debit_account: Identifier
    expires_at: Second | UnsetType | None = UNSET
    hold: bool = False
    metadata: Metadata | UnsetType | None = UNSET


class PostTransferParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Post a hold, or a part of it."""

    amount: int | UnsetType = UNSET


class TransferListParams(ListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of the transfers."""


class BatchTransferParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One transfer of a batch. A linked one stands or falls with the next."""

    amount: int
    credit_account: Identifier
    debit_account: Identifier
    expires_at: Second | UnsetType | None = UNSET
    hold: bool = False
    linked: bool = False
    metadata: Metadata | UnsetType | None = UNSET


class CreateBatchParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make many transfers."""

    dry_run: bool = False
    transfers: Annotated[
        tuple[BatchTransferParams, ...], Meta(min_length=1, max_length=limits.ledger_batch_transfers_max)
    ]


class BalanceParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As of when: a second, or a place in the tenant's sequence; otherwise now."""

    at: Second | UnsetType = UNSET
    sequence: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
