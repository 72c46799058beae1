"""Reads what an older API has, as JSON Lines: an object a line, in the shape in which clients see it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.imports import Entry
from fastpay.errors import ConfigurationError, FastpayError
from fastpay.operations.imports.objects import ObjectReader
from fastpay.operations.imports.said import Fault, digest


class BadLine(ConfigurationError):
    """A line that cannot be imported. Nothing of its file is."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")


class Lines:
    """The lines of a file, which may be read several times."""

    def __init__(self, file: BinaryIO, scope: Scope, now_s: int) -> None:
        self._file = file
        self._objects = ObjectReader(scope, now_s)
        # What lines refer to that does not stand above them.
        self.outside: set[str] = set()

    @property
    def left_out(self) -> Counter[str]:
        """The attributes that this server does not keep, and in how many of the lines read last."""
        return self._objects.left_out

    def entries(self) -> Iterator[tuple[int, Sequence[Entry]]]:
        """Yield what each line says, with its number; lines that say the same once. Raises: BadLine."""
        self._file.seek(0)
        self._objects.left_out.clear()
        seen: dict[bytes, str] = {}
        number = 0
        while text := self._file.readline(limits.import_line_bytes_max + 1):
            number += 1
            if len(text) > limits.import_line_bytes_max:
                raise BadLine(number, f"a line has {limits.import_line_bytes_max} bytes at most")
            if not text.strip():
                continue
            entries = self._read(number, text)
            before = [seen.get(digest(entry.theirs.encode())) for entry in entries]
            if any(one not in (None, entry.digest) for one, entry in zip(before, entries, strict=True)):
                raise BadLine(number, f"{entries[0].theirs} stands above with other values")
            named = {theirs for entry in entries for theirs in entry.refers.values()}
            self.outside |= {theirs for theirs in named if digest(theirs.encode()) not in seen}
            if None in before:
                seen.update((digest(entry.theirs.encode()), entry.digest) for entry in entries)
                yield number, entries
            if len(seen) > limits.import_lines_max:
                raise BadLine(number, f"at most {limits.import_lines_max} objects are imported at once")

    def _read(self, number: int, text: bytes) -> Sequence[Entry]:
        try:
            return self._objects.read(msgspec.json.decode(text, type=dict[str, Any]))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadLine(number, f"this is no object of JSON: {error}") from error
        except Fault as fault:
            raise BadLine(number, str(fault)) from fault
        except FastpayError as error:
            at = "" if error.param is None else f"{error.param}: "
            raise BadLine(number, f"{at}{error.message}") from error
