"""How a CSV file is read: what an operator declares in TOML, and what holds without that."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fastpay import limits
from fastpay.domain.settlement_rows import RowType
from fastpay.errors import ConfigurationError

_Sign = Annotated[str, Meta(min_length=1, max_length=1)]
_TYPES: dict[str, RowType] = {
    "charge": "payment",
    "payment": "payment",
    "refund": "refund",
    "payment_refund": "refund",
    "fee": "fee",
    "stripe_fee": "fee",
    "adjustment": "other",
}


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The names of columns. An empty one is not in the file; not all three amounts have to be."""

    reference: str = "reference"
    id: str = "id"
    type: str = "type"
    gross: str = "gross"
    fee: str = "fee"
    net: str = "net"
    currency: str = "currency"
    value_date: str = "value_date"


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The columns of a file, what their values mean, and how they are written.

    `types` says what each word in the column of types means, and `ignored` which rows are about no payment:
    those that say that money went to the bank. `lag_days` is how long after a payment its value date is at
    most.
    """

    delimiter: _Sign = ","
    decimal: Literal[".", ","] = "."
    amounts: Literal["major", "minor"] = "major"
    dates: str = "%Y-%m-%d"
    lag_days: Annotated[int, Meta(ge=0, le=limits.settlement_lag_days_max)] = 0
    currency: str = ""
    columns: Columns = Columns()
    types: dict[str, RowType] = msgspec.field(default_factory=lambda: dict(_TYPES))
    ignored: frozenset[str] = frozenset({"payout"})


def parse_mapping(text: str) -> Mapping:
    """Return what a text in TOML declares. Raises: ConfigurationError."""
    try:
        found = msgspec.toml.decode(text.encode(), type=Mapping)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise ConfigurationError(f"the mapping cannot be read: {error}") from error
    columns = found.columns
    if not (columns.gross or columns.net):
        raise ConfigurationError("the mapping names neither a gross nor a net amount")
    if not columns.value_date or not (columns.currency or found.currency):
        raise ConfigurationError("the mapping names no value_date or no currency")
    if found.delimiter in {found.decimal, '"', "\n", "\r"}:
        raise ConfigurationError("the mapping's delimiter is the decimal sign, a quote or a line's end")
    return found
