"""Parameters of payments that go on to a connected account."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.common_params import Identifier, Part, value_or
from fastpay.domain import kinds
from fastpay.domain.destinations import Split

SplitAmount = Annotated[int, Meta(ge=0, le=limits.amount_max)]


class TransferAmount(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a payment goes on to its destination."""

    amount: SplitAmount | UnsetType = UNSET


class TransferData(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The connected account that a payment goes on to, and how much of it."""

    destination: Identifier
    amount: SplitAmount | UnsetType = UNSET


def split(fee: SplitAmount | UnsetType, data: TransferAmount | UnsetType) -> Split:
    """Return how a capture is split."""
    passed_on = None if isinstance(data, UnsetType) else value_or(data.amount, None)
    return Split(application_fee_amount=value_or(fee, None), transfer_amount=passed_on)


def split_changes(
    fee: SplitAmount | UnsetType | None, data: TransferData | TransferAmount | UnsetType
) -> dict[str, object]:
    """Return the changes of a payment's options: where it goes on to, and how it is split."""
    changes: dict[str, object] = {}
    if fee is not UNSET:
        changes["application_fee_amount"] = fee
    if isinstance(data, UnsetType):
        return changes
    if isinstance(data, TransferData):
        param = "transfer_data[destination]"
        changes["destination"] = kinds.check(kinds.ACCOUNT, data.destination, param=param)
    if data.amount is not UNSET:
        changes["transfer_amount"] = data.amount
    return changes
