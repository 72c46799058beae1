"""Card numbers in texts that are stored: found, counted, and refused if that is configured.

| where                                          | what happens                                              |
|------------------------------------------------|-----------------------------------------------------------|
| `card[number]`                                 | becomes a fingerprint and four digits (`card_params.py`)  |
| a name that clients choose: an idempotency     | always refused: names are indexed, logged and passed on   |
| key, the code of a ledger account              |                                                           |
| any other text                                 | counted; refused with `card_numbers_in_text = "refuse"`   |

A refusal names the field and never the number. It happens before anything is stored: no object, no
idempotency row, no log line.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UnsetType

from fastpay import limits
from fastpay._native import digit_runs
from fastpay._native.params import NumberSearch
from fastpay.api import card_numbers
from fastpay.api.common_params import Params, Part
from fastpay.api.decoding import FORM, is_json
from fastpay.errors import InvalidRequest

# What has no text inside of it.
_TEXTLESS = frozenset((UnsetType, type(None), bool, int))


def _kept(params_type: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the fields of a struct whose texts are stored, or may be."""
    if issubclass(params_type, Part) and params_type.is_forgotten:
        return params_type.kept
    return params_type.__struct_fields__


_FIRST = NumberSearch(_kept)


class CardTexts:
    """Finds card numbers in texts that requests want to store, and counts them."""

    def __init__(self, *, refuses: bool = False) -> None:
        self._refuses = refuses
        self._allowed = 0
        self._refused = 0

    def counts(self) -> Mapping[str, int]:
        """Return the counts since the start, by name."""
        return {"card_numbers_allowed": self._allowed, "card_numbers_refused": self._refused}

    def check(self, params: Params) -> None:
        """Check every text of these params. Raises: InvalidRequest."""
        if not _FIRST.may_find(params):
            return
        for path, text in _texts(params, ""):
            if card_numbers.holds(text):
                self._found(path, is_name=path in params.chosen_names)

    def check_metadata(self, metadata: Mapping[str, str], *, param: str) -> None:
        """Check metadata outside of params. Raises: InvalidRequest."""
        for path, text in _texts(metadata, param):
            if card_numbers.holds(text):
                self._found(path, is_name=False)

    def check_idempotency_key(self, key: str) -> None:
        """Raise InvalidRequest for a key that holds a card number."""
        if card_numbers.holds(key):
            self._refused += 1
            raise InvalidRequest(
                "The Idempotency-Key contains what looks like a card number. Use a random value, for example "
                "a UUID.",
                code="idempotency_key_invalid",
            )

    def _found(self, path: str, *, is_name: bool) -> None:
        if not self._refuses and not is_name:
            self._allowed += 1
            return
        self._refused += 1
        raise InvalidRequest(
            "This contains what looks like a card number, and card numbers are not stored. Send a card as a "
            "payment method, and leave its number out of all other parameters.",
            code="card_number_not_allowed",
            param=path[: limits.param_chars_max],
        )


def may_hold_card_number(content_type: str | None, body: bytes, query: bytes) -> bool:
    """Tell whether a request may contain a card number. It is cheap, and nearly always False."""
    if query and digit_runs.in_form(query):
        return True
    if content_type == FORM or not body or not is_json(content_type):
        return digit_runs.in_form(body)
    return digit_runs.in_json(body)


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield all texts of a value, each with the name of its parameter.

    A key is named by its map, since the key itself may be the card number.
    """
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, msgspec.Struct):
        for name in _kept(type(value)):
            inner = getattr(value, name)
            # Most parameters are not given, and a generator for each would be a quarter of a payment.
            if type(inner) not in _TEXTLESS:
                yield from _texts(inner, f"{path}[{name}]" if path else name)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield path, key
            yield from _texts(inner, f"{path}[{key}]")
    elif isinstance(value, (tuple, list)):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{path}[{index}]")
