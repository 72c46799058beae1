"""The fast lane closed: every form is left to the careful reader, and the params must be the same."""

from typing import Any


def decode_plainly(params_type: type[Any], text: bytes) -> None:
    """Decode nothing."""
