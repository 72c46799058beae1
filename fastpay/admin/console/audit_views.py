"""The page of what operators did, and the same as a file: filtered, and as long as it is."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

import msgspec

from fastpay import limits
from fastpay.admin.console.answers import Answer, Shown, View
from fastpay.admin.console.operator_ports import AuditEntry, AuditFilter, AuditStore

_NEWEST = 2**62
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Unreadable(Exception):
    """A filter cannot be read."""


class AuditViews:
    """The page and its files."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store

    def views(self) -> dict[str, View]:
        """Return the views by their path below the console's root."""
        return {"audit": self._show, "audit.csv": self._export_csv, "audit.jsonl": self._export_lines}

    async def _show(self, query: Mapping[str, str]) -> Shown:
        given = query.get("below", "")
        below = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else _NEWEST
        typed = {name: query.get(name, "").strip() for name in AuditFilter.__struct_fields__}
        values: dict[str, object] = {"typed": typed, "entries": [], "older": "", "problem": ""}
        asked = {name: value for name, value in typed.items() if value}
        values["exported"] = urlencode(asked)
        try:
            wanted = _read(query)
        except _Unreadable as error:
            return Shown(400, "audit.html", values | {"problem": str(error)})
        entries = await self._store.audit(wanted, below, limits.console_rows_max)
        if len(entries) == limits.console_rows_max:
            values["older"] = urlencode(asked | {"below": entries[-1].action_id})
        return Shown(200, "audit.html", values | {"entries": entries})

    async def _export_csv(self, query: Mapping[str, str]) -> Answer | Shown:
        return await self._export(query, "csv", "text/csv; charset=utf-8", _csv, _csv_line(_COLUMNS))

    async def _export_lines(self, query: Mapping[str, str]) -> Answer | Shown:
        return await self._export(query, "jsonl", "application/jsonl", _json, b"")

    async def _export(
        self,
        query: Mapping[str, str],
        suffix: str,
        kind: str,
        encode: Callable[[AuditEntry], bytes],
        head: bytes,
    ) -> Answer | Shown:
        try:
            wanted = _read(query)
        except _Unreadable:
            return await self._show(query)
        # Read before the answer begins: what fails now gets a page that says so.
        first = await self._store.audit(wanted, _NEWEST, limits.audit_export_rows)
        headers = (("content-disposition", f'attachment; filename="fastpay-audit.{suffix}"'),)
        return Answer(200, head, kind, headers, more=self._encode(wanted, first, encode))

    async def _encode(
        self, wanted: AuditFilter, entries: list[AuditEntry], encode: Callable[[AuditEntry], bytes]
    ) -> AsyncIterator[bytes]:
        """Yield the rest of a file, a few rows at a time. An error leaves an answer that ends too early."""
        while entries:
            yield b"".join(map(encode, entries))
            if len(entries) < limits.audit_export_rows:
                return
            entries = await self._store.audit(wanted, entries[-1].action_id, limits.audit_export_rows)


def _read(query: Mapping[str, str]) -> AuditFilter:
    """Return the filter of a query. Raises: _Unreadable."""
    texts = {}
    for name in ("operator", "action", "tenant"):
        text = query.get(name, "").strip()
        if len(text) > limits.operator_name_chars_max or "\0" in text:
            raise _Unreadable(f"The filter {name} is too long, or has characters that no name has.")
        texts[name] = text or None
    return AuditFilter(**texts, since=_moment(query, "since"), until=_moment(query, "until"))


def _moment(query: Mapping[str, str], name: str) -> int | None:
    """Return a time in milliseconds since 1970. Browsers send it without a zone; it is in UTC."""
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise _Unreadable(f"The time {name} is not one. Write it as 2026-01-31T18:00.") from None


_COLUMNS = ("id", "moment", "operator", "action", "subject", "detail", "tenant_id", "tenant", "request_id")


def _row(entry: AuditEntry) -> tuple[str | int | None, ...]:
    moment = datetime.fromtimestamp(entry.moment_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return (
        *(entry.action_id, moment, entry.operator, entry.action, entry.subject, entry.detail),
        *(entry.tenant_id, entry.tenant, entry.request_id),
    )


def _json(entry: AuditEntry) -> bytes:
    return msgspec.json.encode(dict(zip(_COLUMNS, _row(entry), strict=True))) + b"\n"


def _csv(entry: AuditEntry) -> bytes:
    return _csv_line(_row(entry))


def _csv_line(values: tuple[str | int | None, ...]) -> bytes:
    """Return a line of RFC 4180. A name that a spreadsheet would carry out is quoted with an apostrophe."""
    safe = ["" if value is None else str(value) for value in values]
    line = io.StringIO()
    csv.writer(line).writerow(f"'{text}" if text.startswith(_FORMULA) else text for text in safe)
    return line.getvalue().encode()
