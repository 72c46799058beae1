"""API keys of an older API, by their digests: clients keep their keys, which never come here as text."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.errors import ConfigurationError
from fastpay.store.key_records import Kind
from fastpay.store.keys import create_tenant, find_keys, find_tenant
from fastpay.store.random_values import random_uuid
from fastpay.store.rows import timestamp
from fastpay.store.sealing import Vault
from fastpay.store.statements import SQL
from fastpay.store.tenants import check_name

FIELDS = ("tenant", "mode", "kind", "sha256", "last4")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_LAST4 = re.compile(r"[!-~]{4}", re.ASCII)


class ImportedKey(msgspec.Struct, frozen=True):
    """A key of the older API. `digest` is the SHA-256 of its text."""

    tenant: str
    livemode: bool
    kind: Kind
    digest: bytes
    last4: str


class Imported(msgspec.Struct, frozen=True):
    """How many keys were imported, how many were known before, and how many tenants are new."""

    keys: int
    known: int
    tenants: int


def read_keys(lines: Iterable[str]) -> list[ImportedKey]:
    """Return the keys in lines of CSV with a heading. Raises: ConfigurationError, which names the line."""
    reader = csv.DictReader(lines, strict=True)
    if tuple(reader.fieldnames or ()) != FIELDS:
        raise ConfigurationError(f"line 1: the fields must be {','.join(FIELDS)}")
    found: dict[bytes, ImportedKey] = {}
    for row in _rows(reader):
        key = _read(row, reader.line_num)
        if found.setdefault(key.digest, key) != key:
            raise ConfigurationError(f"line {reader.line_num}: this key stands above with other values")
        if len(found) > limits.key_import_rows_max:
            raise ConfigurationError(f"at most {limits.key_import_rows_max} keys are imported at once")
    return list(found.values())


async def import_keys(
    connection: Any, keys: Sequence[ImportedKey], *, clock: Clock, vault: Vault | None
) -> Imported:
    """Import keys, and create tenants that are not there, all or nothing. Repeating it changes nothing.

    Raises: ConfigurationError for a key that belongs to another tenant or mode here.
    """
    async with connection.transaction():
        names = sorted({key.tenant for key in keys})
        missing = [name for name in names if await find_tenant(connection, name) is None]
        tenants = {name: await create_tenant(connection, name, clock=clock, vault=vault) for name in names}
        known = await find_keys(connection, [key.digest for key in keys])
        for key in keys:
            own = known.get(key.digest)
            if own is not None and (own.tenant_id, own.livemode) != (tenants[key.tenant], key.livemode):
                raise ConfigurationError(f"the key that ends in {key.last4} is another tenant's or mode's")
        new = [key for key in keys if key.digest not in known]
        await connection.executemany(
            SQL["key_create"],
            [
                (
                    tenants[key.tenant],
                    key.livemode,
                    random_uuid(clock),
                    key.kind,
                    key.digest,
                    key.last4,
                    False,
                    timestamp(clock),
                )
                for key in new
            ],
        )
    return Imported(len(new), len(known), len(missing))


def _rows(reader: "csv.DictReader[str]") -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise ConfigurationError(f"line {reader.line_num}: {error}") from error


def _read(row: dict[str, str], line: int) -> ImportedKey:
    values = {name: row.get(name) or "" for name in FIELDS}
    if None in row or values["mode"] not in ("test", "live"):
        raise ConfigurationError(f"line {line}: the mode is test or live, and there are {len(FIELDS)} fields")
    if values["kind"] not in ("secret", "publishable"):
        raise ConfigurationError(f"line {line}: the kind is secret or publishable")
    if _DIGEST.fullmatch(values["sha256"]) is None:
        raise ConfigurationError(f"line {line}: sha256 is 64 hexadecimal digits: the SHA-256 of the key")
    if _LAST4.fullmatch(values["last4"]) is None:
        raise ConfigurationError(f"line {line}: last4 are the last four characters of the key")
    check_name(values["tenant"])
    return ImportedKey(
        values["tenant"],
        values["mode"] == "live",
        cast("Kind", values["kind"]),
        bytes.fromhex(values["sha256"]),
        values["last4"],
    )
