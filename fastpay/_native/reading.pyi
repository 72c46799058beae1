"""Reads one request after another with llhttp, from bytes that the gate has accepted."""

from collections.abc import Iterable

from fastpay._native.names import Names

def build_names(single_headers: Iterable[str]) -> Names:
    """Return the table from names to kinds of field.

    `single_headers`: at most 16 names of fields that a request may not repeat.
    """
