"""How error messages show a parameter: its name and its value."""

from typing import Any

from fastpay import limits

# Values of these parameters never appear in an answer, nor does a text with as many digits as a card.
SECRET_NAMES = frozenset(
    {"number", "cvc", "account_number", "routing_number", "iban", "id_number", "client_secret", "secret"}
)
_CARD_DIGITS_MIN = 12


def shown(value: Any, *, hidden: bool) -> str:
    """Return a value for a message: short, and never a card number."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if hidden or sum(character.isdigit() for character in text) >= _CARD_DIGITS_MIN:
        return f"a value of {len(text)} characters"
    if len(text) > limits.received_chars_max:
        text = f"{text[: limits.received_chars_max]}..."
    return f"'{text}'" if isinstance(value, str) else text


def path_of(path: list[str | int]) -> str:
    """Return the name of a parameter, such as `card[number]`, from its parts, outermost first."""
    name = "".join(f"[{part}]" if position else str(part) for position, part in enumerate(path))
    return name[: limits.param_chars_max]
