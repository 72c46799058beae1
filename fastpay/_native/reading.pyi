"""Reads one request after another with llhttp, from bytes that the gate let through."""

from collections.abc import Iterable

def build_names(single_headers: Iterable[str]) -> dict[bytes, tuple[bytes, int]]:
    """Return the table from names as they are sent to (lower-case name, kind of field).

    `single_headers`: at most 16 names of fields that a request may not repeat.
    """
