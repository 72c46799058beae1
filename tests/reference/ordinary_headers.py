"""The headers of an ordinary request, told from others by looking names up in sets."""

import datetime as dt
import re

from fastpay._native.ordinary_headers import HARMLESS, OF_TRACES

READ = (b"authorization", b"if-none-match", b"stripe-version", b"accept-encoding")

VERSION = re.compile(rb"([1-9]\d{3}-\d\d-\d\d)(\.[a-z]+)?")


def is_version(value: bytes) -> bool:
    """Tell whether a value is a date, and a name behind it or none. The 29th of February is left out."""
    found = VERSION.fullmatch(value)
    if found is None or len(value) > 64 or found[1].endswith(b"02-29"):
        return False
    try:
        dt.date.fromisoformat(found[1].decode())
    except ValueError:
        return False
    return True


def read_headers(headers: list[tuple[bytes, bytes]], is_tracing: bool) -> tuple[bytes | None, ...] | None:
    """Return the values of those that are read, None if anything else is not harmless."""
    names = [name for name, _ in headers]
    read = (*READ, *OF_TRACES) if is_tracing else READ
    harmless = set(HARMLESS) if is_tracing else {*HARMLESS, *OF_TRACES}
    values = dict(headers)
    version = values.get(b"stripe-version")
    if any(name not in harmless and name not in read for name in names):
        return None
    if any(names.count(name) > 1 for name in read) or b"authorization" not in values:
        return None
    if version is not None and not is_version(version):
        return None
    return tuple(values.get(name) if name in read else None for name in (*READ, *OF_TRACES))
