"""Whether a text may contain a card number: a cheap check before the exact one.

Each function returns True for every text in which `api.card_numbers.holds` finds a number after decoding,
and for some others: a non-ASCII character counts as a digit.
"""

def in_text(text: str) -> bool:
    """Return whether a plain text may contain a card number."""

def in_form(text: bytes) -> bool:
    """Return whether a percent-encoded form may contain a card number."""

def in_json(text: bytes) -> bool:
    """Return whether JSON with escapes may contain a card number."""
