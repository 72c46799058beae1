"""Differences as operators see them: an allow-list, as for the request log. What clients write is left out.

| shown                 | if                                                          |
|-----------------------|-------------------------------------------------------------|
| a number              | it is too short for a card number                           |
| true, false, null     | always                                                      |
| an identifier         | it has the form of one of fastpay's                         |
| a word                | letters alone, in a field whose values are words of the API |
| another text          | its length                                                  |
| an object or a list   | how many fields or elements it has                          |
"""

import re
from typing import Any

import msgspec

from fastpay import limits
from fastpay.api import redaction
from fastpay.engine.rollout.comparison import NOTHING, Difference
from fastpay.engine.rollout.finding_ports import Example, RouteKey

_WORDS = re.compile(r"[a-z_.]{1,40}", re.ASCII)
_WORD_FIELDS = frozenset(
    (
        *("brand", "capture_method", "code", "confirmation_method", "country", "currency", "decline_code"),
        *("network_status", "object", "reason", "settlement_currency", "status", "type"),
    )
)
_EVENTS_AND_POSTINGS = frozenset(("event", "posting"))


def make(key: RouteKey, difference: Difference, number: int, request: str, request_id: str) -> Example:
    """Return an example of a difference."""
    legacy, fastpay = (
        _shown(difference, value)[: limits.comparison_example_chars_max]
        for value in (difference.legacy, difference.fastpay)
    )
    return Example(key, difference.name, number, request, request_id, legacy, fastpay)


def _shown(difference: Difference, value: Any) -> str:
    if value is NOTHING:
        return "nothing"
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return _text(difference, value)
    if isinstance(value, int | float) and abs(value) >= limits.request_log_integer_max:
        return redaction.REDACTED
    return msgspec.json.encode(value).decode()


def _text(difference: Difference, text: str) -> str:
    name = difference.path.rpartition(".")[2].removesuffix("[]")
    is_of_the_api = difference.kind in _EVENTS_AND_POSTINGS or name in _WORD_FIELDS
    if is_of_the_api and _WORDS.fullmatch(text):
        return f'"{text}"'
    if redaction.is_identifier(text):
        return text
    return f"a text of {len(text)} characters"
