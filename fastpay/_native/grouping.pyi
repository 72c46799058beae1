"""What commands have written, sorted by the tables that it goes to; and rows by a key."""

from collections.abc import Sequence
from typing import Any, Literal

# In each list an item for each row.
_Lists = tuple[list[Any], ...]
# A type with the scopes, versions and objects of its rows. They are all of new objects; or all of known ones
# and of no object twice; or neither.
_OfType = tuple[type, Literal["new", "known", "mixed"], tuple[list[Any], list[Any], list[Any]]]

class Sorter:
    """Sorts what was decided.

    `numbers` are the types of objects, each with the number of its kind; None for those without snapshots.
    """

    def __init__(
        self, submission: type, draft: type, versioned: type, stored: type, numbers: dict[Any, int | None]
    ) -> None: ...
    def sort(
        self, drafts: Sequence[tuple[Any, Any]]
    ) -> tuple[_Lists, list[_OfType], _Lists, _Lists, _Lists, _Lists, _Lists, bool]:
        """Return what submissions with their drafts have written, all in the order of the drafts.

        - scopes, versions, numbers and objects of the snapshots
        - the same without numbers by type, and of objects without snapshots too
        - submissions with their drafts, and transfers
        - submissions and events
        - submissions and actions of operators, where there is one
        - scopes, and the accounts that were opened as the last draft has left them
        - the same for all other accounts that were moved
        - whether there is an object without snapshots

        Raises: TypeError for anything else, AttributeError for a draft that is not finished.
        """

def group(keys: list[Any], parts: tuple[list[Any], ...]) -> dict[Any, tuple[list[Any], ...]]:
    """Return for each key the items of its rows, as the same parts.

    Keys are in the order in which they come first, and rows in their own order.
    Raises: ValueError if a part has not as many items as there are keys.
    """
