"""Reads one request after another with llhttp, from bytes that the gate let through."""

from collections.abc import Iterable
from typing import Any

def build_names(single_headers: Iterable[str]) -> dict[bytes, tuple[bytes, int]]:
    """Return the table from names as they are sent to (lower-case name, kind of field).

    `single_headers`: at most 16 names of fields that a request may not repeat.
    """

def read_target(target: bytes, host: bytes, method: str, scope: dict[str, Any]) -> int:
    """Put path, raw path and query of a target into a scope; return 0 or the refusal."""

def check_host(value: bytes) -> bool:
    """Tell whether this can be the host of a request."""
