"""Finds card numbers in texts, in one pass."""

from collections.abc import Collection, Iterable

class CardFinder:
    """Knows the prefixes and lengths of card numbers, and finds them in texts.

    A scheme is its prefixes, as ranges of the first four digits with both ends, and the lengths of its
    numbers. `api.card_numbers` says what counts as a card number.
    """

    def __init__(self, schemes: Iterable[tuple[Iterable[tuple[int, int]], Collection[int]]]) -> None: ...
    def holds(self, text: str) -> bool:
        """Tell whether a text is a card number, or holds one.

        The time is linear in the length of the text, whatever stands in it.
        """
