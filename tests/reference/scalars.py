"""The fast lane closed: every field is left to the careful reader, and the params must be the same."""

from typing import Any

from fastpay._native.scalars import Scalar


def settle(tree: dict[str, Any], scalars: dict[str, Scalar]) -> list[str]:
    """Settle nothing and return every name."""
    return list(tree)
