"""Settlement files in XML: camt.053, a bank's statement of an account (ISO 20022).

A payment is a TxDtls of a booked entry, or an entry without one. Expat calls a function for each element, so
the file is never in memory as a whole, and every error has its place. A document type is refused: without one
there are no entities, which are all that makes XML from others dangerous.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.parsers import expat

from fastpay import limits
from fastpay.domain.settlement_rows import RowType, SettlementRow
from fastpay.operations.settlement_files import reading
from fastpay.operations.settlement_files.reading import BadFile

_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053."
_BYTES_AT_ONCE = 1 << 16
_NO_REFERENCE = "NOTPROVIDED"
# What is read, by its path below an entry or below the details of a transaction.
_FIELDS = {
    "Amt": "amount",
    "AmtDtls/TxAmt/Amt": "amount",
    "CdtDbtInd": "side",
    "RvslInd": "reversed",
    "Sts": "status",
    "Sts/Cd": "status",
    "ValDt/Dt": "value_date",
    "ValDt/DtTm": "value_date",
    "AcctSvcrRef": "id",
    "Refs/EndToEndId": "reference",
    "Refs/TxId": "id",
    "Refs/AcctSvcrRef": "bank_id",
    "Chrgs/Rcrd/Amt": "charge",
}

_Values = dict[str, str]


def read_camt053(file: BinaryIO) -> Iterator[SettlementRow]:
    """Yield the rows of a file. Raises: BadFile."""
    statement = _Statement()
    while part := file.read(_BYTES_AT_ONCE):
        yield from statement.feed(part)
    yield from statement.feed(b"", is_last=True)


class _Statement:
    """Reads a file part by part."""

    def __init__(self) -> None:
        parser: Any = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._add_text
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser = parser
        self._path: list[str] = []
        self._text: list[str] = []
        self._text_chars = 0
        self._currency = ""
        self._entry: _Values = {}
        self._details: _Values | None = None
        # What the details of one entry say, each with its line.
        self._transactions: list[tuple[int, _Values]] = []
        self._rows: list[SettlementRow] = []

    def feed(self, part: bytes, *, is_last: bool = False) -> list[SettlementRow]:
        """Return the rows that end in a part of the file. Raises: BadFile."""
        try:
            self._parser.Parse(part, is_last)
        except expat.ExpatError as error:
            raise BadFile(error.lineno, error.offset + 1, expat.errors.messages[error.code]) from error
        except (ValueError, LookupError) as error:
            # A value that is none, or an encoding that nobody knows.
            raise self._bad(str(error)) from error
        rows, self._rows = self._rows, []
        return rows

    def _bad(self, reason: str) -> BadFile:
        return BadFile(self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1, reason)

    def _refuse_doctype(self, *_: object) -> None:
        raise self._bad("it has a document type, which camt.053 has not")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if not self._path and not (local == "Document" and namespace.startswith(_NAMESPACE)):
            raise self._bad("it is no camt.053 document")
        if len(self._path) >= limits.settlement_depth_max:
            raise self._bad(f"more than {limits.settlement_depth_max} elements are within each other")
        self._path.append(local)
        self._text.clear()
        self._text_chars = 0
        if local == "Ntry":
            self._entry, self._transactions = {}, []
        elif local == "TxDtls":
            self._details = {}
        elif local == "Amt":
            self._currency = attributes.get("Ccy", "")

    def _add_text(self, text: str) -> None:
        self._text_chars += len(text)
        if self._text_chars > limits.settlement_line_bytes_max:
            raise self._bad(f"a text has more than {limits.settlement_line_bytes_max} characters")
        self._text.append(text)

    def _end(self, _name: str) -> None:
        local, line = self._path[-1], self._parser.CurrentLineNumber
        if local == "Ntry":
            self._end_entry(line)
        elif local == "TxDtls" and self._details is not None:
            self._transactions.append((line, self._details))
            self._details = None
            if len(self._transactions) > limits.settlement_rows_max:
                raise self._bad(f"an entry has more than {limits.settlement_rows_max} transactions")
        else:
            self._note()
        self._path.pop()
        self._text.clear()

    def _note(self) -> None:
        """Keep the text of an element that is read."""
        owner, values = ("Ntry", self._entry) if self._details is None else ("TxDtls", self._details)
        if owner not in self._path:
            return
        field = _FIELDS.get("/".join(self._path[self._path.index(owner) + 1 :]))
        text = "".join(self._text).strip()
        if field is None or not text:
            return
        if field == "charge":
            charged = int(values.get("fee", "0")) + self._amount(text)
            values["fee"] = str(charged)
        elif field == "amount":
            values["amount"] = str(self._amount(text))
            values["currency"] = self._currency
        else:
            values[field] = text

    def _amount(self, text: str) -> int:
        return reading.parse_amount(text, reading.parse_currency(self._currency))

    def _end_entry(self, line: int) -> None:
        if self._entry.get("status", "BOOK") != "BOOK":
            return
        # What an entry says of all its transactions together is about none of them.
        shared = {name: text for name, text in self._entry.items() if name not in {"id", "fee", "amount"}}
        found = [(at, {**shared, **details}) for at, details in self._transactions]
        for at, values in found or [(line, self._entry)]:
            try:
                self._rows.append(_row(at, values))
            except ValueError as error:
                raise BadFile(at, 1, str(error)) from error


def _row(line: int, values: _Values) -> SettlementRow:
    """Return the row of what an entry, and the details of a transaction, say. Raises: ValueError."""
    if "amount" not in values or values.get("side") not in {"CRDT", "DBIT"}:
        raise ValueError("an entry has no amount, or does not say whether it is CRDT or DBIT")
    if "value_date" not in values:
        raise ValueError("an entry has no ValDt")
    is_credit = (values["side"] == "CRDT") != (values.get("reversed") == "true")
    net = int(values["amount"]) if is_credit else -int(values["amount"])
    fee = int(values.get("fee", "0"))
    kind: RowType = "payment" if net + fee > 0 else "refund"
    return reading.make_row(
        line,
        kind,
        reading.parse_currency(values["currency"]),
        {"fee": fee, "net": net},
        value_date=_day(values["value_date"]),
        reference=reading.parse_text(values.get("reference", "").replace(_NO_REFERENCE, "")),
        processor_id=reading.parse_text(values.get("id") or values.get("bank_id", "")),
    )


def _day(text: str) -> dt.date:
    """Return the day of a date, or of a date and time."""
    return reading.parse_date(text[:10])
