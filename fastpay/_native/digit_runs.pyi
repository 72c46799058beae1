"""Whether a text may hold a card number: one look at each byte, before anything careful is done.

All functions are true for everything in which `api.card_numbers.holds` is true of some decoded text, and
for some others: a character that is not ASCII counts as a digit.
"""

def in_text(text: str) -> bool:
    """Tell whether a text, as it is, may hold a card number."""

def in_form(text: bytes) -> bool:
    """Tell whether a form, with its percent-encoding, may hold a card number."""

def in_json(text: bytes) -> bool:
    """Tell whether JSON, with its escapes, may hold a card number."""
