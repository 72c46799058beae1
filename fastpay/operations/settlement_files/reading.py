"""What all formats of settlement files share: errors with their place, and how texts become values."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Literal

from fastpay import limits
from fastpay.domain import money
from fastpay.domain.settlement_rows import RowType, SettlementRow
from fastpay.errors import ConfigurationError, InvalidRequest

_PLAIN = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?", re.ASCII)


class BadFile(ConfigurationError):
    """A settlement file that cannot be read as it is declared. Nothing of it is imported."""

    def __init__(self, line: int, column: str | int, reason: str) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")


def parse_amount(
    text: str, currency: str, *, unit: Literal["major", "minor"] = "major", decimal: str = "."
) -> int:
    """Return an amount with its sign, in the smallest unit. Raises: ValueError with the reason."""
    cleaned = text.strip()
    if decimal != "." and "." in cleaned:
        raise ValueError(f"{_shown(text)} is no amount with the decimal sign {decimal!r}")
    found = _PLAIN.fullmatch(cleaned.replace(decimal, "."))
    if found is None:
        raise ValueError(f"{_shown(text)} is no amount")
    sign, whole, part = found.groups(default="")
    decimals = money.decimals(currency) if unit == "major" else 0
    if part.strip("0") and len(part.rstrip("0")) > decimals:
        raise ValueError(f"{_shown(text)} has more than {decimals} decimals")
    digits = whole + part[:decimals].ljust(decimals, "0")
    # Before it becomes a number: that takes long for a million digits.
    if len(digits) > len(str(limits.settlement_amount_max)) or int(digits) > limits.settlement_amount_max:
        raise ValueError("the amount is too large")
    return -int(digits) if sign == "-" else int(digits)


def parse_currency(text: str) -> str:
    """Return a currency's code in lower case. Raises: ValueError."""
    try:
        return money.parse_currency(text.strip())
    except InvalidRequest as error:
        raise ValueError(f"{_shown(text)} is no currency") from error


def parse_date(text: str, layout: str = "%Y-%m-%d") -> dt.date:
    """Return a day. Raises: ValueError with the reason."""
    try:
        return dt.datetime.strptime(text.strip(), layout).replace(tzinfo=dt.UTC).date()
    except ValueError:
        raise ValueError(f"{_shown(text)} is no date in the form {layout}") from None


def parse_text(text: str) -> str | None:
    """Return a reference or an identifier, None for an empty one. Raises: ValueError."""
    cleaned = text.strip()
    if len(cleaned) > limits.settlement_text_chars_max or not cleaned.isprintable():
        raise ValueError(f"it has to be at most {limits.settlement_text_chars_max} printable characters")
    return cleaned or None


def make_row(
    line: int,
    kind: RowType,
    currency: str,
    amounts: Mapping[str, int],
    *,
    value_date: dt.date,
    reference: str | None,
    processor_id: str | None,
) -> SettlementRow:
    """Return a row whose amounts add up. One of `gross`, `fee` and `net` may not be given.

    What a row that is a fee takes is a fee, whatever the file calls it. Raises: ValueError.
    """
    given = dict(amounts)
    if "gross" not in given:
        given["gross"] = given["net"] + given.get("fee", 0)
    if "fee" not in given:
        given["fee"] = given["gross"] - given.get("net", given["gross"])
    gross, fee = given["gross"], given["fee"]
    net = given.get("net", gross - fee)
    if gross != fee + net:
        raise ValueError(f"the gross amount {gross} is not the fee {fee} and the net amount {net} together")
    if kind == "fee":
        gross, fee = 0, -net
    elif (kind == "payment" and gross <= 0) or (kind == "refund" and gross >= 0):
        raise ValueError(f"a {kind} of {gross}: payments are above zero, and refunds are below it")
    return SettlementRow(
        line=line,
        type=kind,
        currency=currency,
        gross=gross,
        fee=fee,
        net=net,
        value_date=value_date,
        reference=reference,
        processor_id=processor_id,
    )


def _shown(text: str) -> str:
    """Return a part of a file as an error shows it."""
    return repr(text if len(text) <= 40 else text[:40] + "...")
