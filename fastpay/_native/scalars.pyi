"""The plain fields of a form, converted in place: the fast lane of `api/decoding.py`."""

from typing import Any, final

@final
class Scalar:
    """How a parameter is read where a form gives it as a plain text that leaves no doubt.

    There is nothing to it but the five ways to make one.
    """

    @staticmethod
    def text() -> Scalar:
        """Make one for any text that is not empty."""

    @staticmethod
    def boolean() -> Scalar:
        """Make one for `true` and `false`."""

    @staticmethod
    def integer(low: int, high: int) -> Scalar:
        """Make one for decimal digits, with a minus or without, from `low` to `high`, both included.

        Raises: OverflowError for bounds beyond signed 64 bit.
        """

    @staticmethod
    def choice(choices: frozenset[str]) -> Scalar:
        """Make one for a few texts."""

    @staticmethod
    def metadata() -> Scalar:
        """Make one for a map of text within the limits of metadata, in place of a scalar."""

def settle(tree: dict[str, Any], scalars: dict[str, Scalar]) -> list[str]:
    """Convert in place what is plainly right in a tree that `form.parse` made, and return the other names.

    A name is left over where `scalars` does not have it or its value does not fit: the careful
    reader in `api/decoding.py` reads those, and finds the words where one is wrong.
    """
