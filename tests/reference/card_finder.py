"""`fastpay/_native/card_finder.pyx` in plain Python: runs by a pattern, then their groups one by one."""

import re
import unicodedata

from fastpay import limits
from fastpay.api.card_numbers import SCHEMES
from fastpay.domain.cards import passes_luhn

_BETWEEN = r"\s\-._\u00ad\u00b7\u200b-\u2015\u2060\ufeff"
_RUN = re.compile(
    rf"[0-9](?:[{_BETWEEN}]{{0,{limits.card_number_separators_max}}}[0-9])"
    rf"{{{limits.card_number_digits_min - 1},}}"
)
_GROUP = re.compile("[0-9]+")
_UUID = re.compile("(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"[0-9A-Za-z]*\Z")
_WORD_AFTER = re.compile("[0-9A-Za-z]*")
_HEXADECIMAL = re.compile("[0-9A-Fa-f]+")
_PHONE_DIGITS_MAX = 15  # E.164
# Inside of a longer run of digits, all groups of a card number but the last have at least so many.
_GROUP_DIGITS_MIN = 3
# A card number is written in groups of one size, of which the last may be shorter, or in these.
_GROUP_DIGITS_MAX = 6
_GROUPS_OF_AMEX_AND_DINERS = frozenset({(4, 6, 5), (4, 6, 4)})


def holds(text: str) -> bool:
    """Tell whether a text is a card number, or holds one."""
    if not text.isascii():
        text = "".join(_plain(sign) for sign in text)
    text = _UUID.sub(lambda found: "g" * len(found[0]), text)
    return any(_is_in_run(text, found.start(), found.end()) for found in _RUN.finditer(text))


def _plain(sign: str) -> str:
    digit = unicodedata.decimal(sign, None)
    return sign if digit is None else str(digit)


def _is_in_run(text: str, start: int, end: int) -> bool:
    """Tell whether digits that belong together hold a card number."""
    groups = _GROUP.findall(text, start, end)
    digits = "".join(groups)
    if text[start - 1 : start] == "+" and len(digits) <= _PHONE_DIGITS_MAX:
        return False
    if _is_hexadecimal(text, start, start + len(groups[0])):
        del groups[0]
    if groups and _is_hexadecimal(text, end - len(groups[-1]), end):
        del groups[-1]
    return _is_number(groups) or any(_begins_at(groups, place) for place in range(len(groups)))


def _begins_at(groups: list[str], first: int) -> bool:
    """Tell whether some groups in a row, from this one on, are a card number."""
    for last, group in enumerate(groups[first:], first):
        if _is_number(groups[first : last + 1]):
            return True
        if len(group) < _GROUP_DIGITS_MIN or last - first == limits.card_number_digits_max:
            return False
    return False


def _is_hexadecimal(text: str, start: int, end: int) -> bool:
    """Tell whether these digits are a part of a word of hexadecimal digits that has letters."""
    before, after = _WORD_BEFORE.search(text, max(0, start - 64), start), _WORD_AFTER.match(text, end)
    assert before is not None
    assert after is not None
    around = before[0] + after[0]
    return _HEXADECIMAL.fullmatch(around) is not None


def _is_number(groups: list[str]) -> bool:
    """Tell whether these groups of digits together are a card number."""
    digits = "".join(groups)
    if not limits.card_number_digits_min <= len(digits) <= limits.card_number_digits_max:
        return False
    prefix = int(digits[:4])
    return (
        any(
            len(digits) in lengths and any(low <= prefix <= high for low, high in ranges)
            for ranges, lengths in SCHEMES
        )
        and _is_grouped(groups)
        and passes_luhn(digits)
    )


def _is_grouped(groups: list[str]) -> bool:
    """Tell whether digits are in groups as people write card numbers in."""
    sizes = tuple(len(group) for group in groups)
    size = sizes[0]
    if len(sizes) == 1 or sizes in _GROUPS_OF_AMEX_AND_DINERS:
        return True
    return size <= _GROUP_DIGITS_MAX and set(sizes[:-1]) == {size} and sizes[-1] <= size
