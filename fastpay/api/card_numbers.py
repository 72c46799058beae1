"""Card numbers inside of texts: metadata, descriptions, names, idempotency keys.

A card number has 13 to 19 digits, the prefix and the length of a card scheme, and a valid check digit (Luhn).
It is written in one piece, or in the groups of a card with one or two blanks, hyphens, dots or underscores
between them. Digits of any script count. These are not card numbers: a telephone number (a plus sign and up
to 15 digits), a UUID, digits inside of a hexadecimal word, and digits in other groups, such as
`420-1795883115127` (a customer and a time).
"""

import bisect

from fastpay._native.card_finder import CardFinder

# Prefixes of each scheme, as ranges of the first four digits, and the lengths that its numbers have.
# Source: the schemes' published ranges (ISO/IEC 7812 issuer identification numbers).
SCHEMES: tuple[tuple[tuple[tuple[int, int], ...], frozenset[int]], ...] = (
    (((4000, 4999),), frozenset({13, 16, 19})),  # Visa
    (((2221, 2720), (5100, 5599)), frozenset({16})),  # Mastercard
    (((3400, 3499), (3700, 3799)), frozenset({15})),  # American Express
    (((3000, 3059), (3095, 3095), (3600, 3699), (3800, 3999)), frozenset(range(14, 20))),  # Diners Club
    (((6011, 6011), (6440, 6599)), frozenset(range(16, 20))),  # Discover
    (((3528, 3589),), frozenset(range(16, 20))),  # JCB
    (((6200, 6299), (8100, 8199)), frozenset(range(16, 20))),  # UnionPay
    (((5000, 5099), (5600, 5899), (6300, 6399), (6700, 6799)), frozenset(range(16, 20))),  # Maestro
)
_finder = CardFinder(SCHEMES)
# What the dialect calls the schemes, in their order.
_BRANDS = ("visa", "mastercard", "amex", "diners", "discover", "jcb", "unionpay", "unknown")
# All ranges in the order of their first numbers. They do not overlap: see `brand_of`.
_RANGES = sorted(
    (low, high, lengths, brand)
    for brand, (ranges, lengths) in zip(_BRANDS, SCHEMES, strict=True)
    for low, high in ranges
)
_FIRSTS = [low for low, *_ in _RANGES]
assert all(high < low for (_, high, *_), low in zip(_RANGES, _FIRSTS[1:], strict=False))


def holds(text: str) -> bool:
    """Tell whether a text contains a card number."""
    return _finder.holds(text)


def brand_of(number: str) -> str:
    """Return what the dialect calls the scheme of a card number, "unknown" if none issues it."""
    first = int(number[:4])
    low, high, lengths, brand = _RANGES[bisect.bisect_right(_FIRSTS, first) - 1]
    return brand if low <= first <= high and len(number) in lengths else "unknown"
