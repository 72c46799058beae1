"""Settlement files in CSV (RFC 4180), read one line at a time."""

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import msgspec

from fastpay import limits
from fastpay.domain.settlement_rows import SettlementRow
from fastpay.operations.settlement_files import reading
from fastpay.operations.settlement_files.mapping import Mapping
from fastpay.operations.settlement_files.reading import BadFile

_AMOUNTS = ("gross", "fee", "net")


def read_csv(file: BinaryIO, mapping: Mapping) -> Iterator[SettlementRow]:
    """Yield the rows of a file whose first line has the names of its columns. Raises: BadFile."""
    lines = _Lines(file)
    table = csv.reader(lines, delimiter=mapping.delimiter, strict=True)
    try:
        heading = next(table, None)
        if heading is None:
            raise BadFile(1, 1, "the file is empty")
        place = _places([name.strip() for name in heading], mapping)
        for cells in table:
            if not any(cells):
                continue
            if len(cells) != len(heading):
                raise BadFile(
                    lines.number, len(cells), f"{len(cells)} columns instead of {len(heading)} as in line 1"
                )
            row = _Reader(lines.number, cells, place, mapping).row()
            if row is not None:
                yield row
    except csv.Error as error:
        raise BadFile(lines.number, 1, str(error)) from error


class _Lines:
    """The lines of a file as text, and the number of the last one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        """Yield the lines. Raises: BadFile for one that is too long or no UTF-8."""
        while line := self._file.readline(limits.settlement_line_bytes_max + 1):
            self.number += 1
            if len(line) > limits.settlement_line_bytes_max:
                raise BadFile(self.number, 1, f"it has more than {limits.settlement_line_bytes_max} bytes")
            if self.number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise BadFile(self.number, error.start + 1, "this byte is no UTF-8") from error


def _places(heading: Sequence[str], mapping: Mapping) -> dict[str, int]:
    """Return where each declared column is. Raises: BadFile for one that is not there, or there twice."""
    found: dict[str, int] = {}
    for field, name in msgspec.structs.asdict(mapping.columns).items():
        if not name or (field == "currency" and mapping.currency):
            continue
        if heading.count(name) != 1:
            how = "no column" if name not in heading else "more than one column"
            raise BadFile(1, 1, f"there is {how} named {name!r}, which the mapping has for {field}")
        found[field] = heading.index(name)
    return found


class _Reader:
    """Reads one row. An error names the line and the column."""

    def __init__(self, line: int, cells: Sequence[str], place: dict[str, int], mapping: Mapping) -> None:
        self._line = line
        self._cells = cells
        self._place = place
        self._mapping = mapping
        self._field = "type"

    def row(self) -> SettlementRow | None:
        """Return the row, None if it is about no payment. Raises: BadFile."""
        try:
            return self._read()
        except ValueError as error:
            column = self._place.get(self._field, 0) + 1
            name = getattr(self._mapping.columns, self._field)
            raise BadFile(self._line, f"{column} ({name})", str(error)) from error

    def _read(self) -> SettlementRow | None:
        mapping, word = self._mapping, self._cell("type")
        if word in mapping.ignored:
            return None
        kind = mapping.types.get(word) if "type" in self._place else "payment"
        if kind is None:
            raise ValueError(f"the mapping does not say what the type {word[:40]!r} means")
        currency = reading.parse_currency(mapping.currency or self._cell("currency"))
        amounts = {
            field: reading.parse_amount(
                self._cell(field), currency, unit=mapping.amounts, decimal=mapping.decimal
            )
            for field in _AMOUNTS
            if field in self._place
        }
        value_date = reading.parse_date(self._cell("value_date"), mapping.dates)
        reference = reading.parse_text(self._cell("reference"))
        processor_id = reading.parse_text(self._cell("id"))
        self._field = "gross" if "gross" in self._place else "net"
        if "type" not in self._place and amounts[self._field] < 0:
            kind = "refund"
        return reading.make_row(
            self._line,
            kind,
            currency,
            amounts,
            value_date=value_date,
            reference=reference,
            processor_id=processor_id,
        )

    def _cell(self, field: str) -> str:
        self._field = field
        return self._cells[self._place[field]].strip() if field in self._place else ""
