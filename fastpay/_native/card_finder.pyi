"""Finds card numbers in texts, in one pass."""

from collections.abc import Collection, Iterable

class CardFinder:
    """Knows the prefixes and lengths of card numbers, and finds them in texts.

    A scheme is its prefixes, as inclusive ranges of the first four digits, and the lengths of its numbers.
    `api.card_numbers` defines what counts as a card number.
    """

    def __init__(self, schemes: Iterable[tuple[Iterable[tuple[int, int]], Collection[int]]]) -> None: ...
    def holds(self, text: str) -> bool:
        """Return whether a text is or contains a card number.

        The time is linear in the length of any text.
        """
