"""What a struct of parameters holds, read from its memory."""

from collections.abc import Callable, Iterable

import msgspec

class Selection:
    """Some parameters of a struct, by name.

    Raises: TypeError for a name that the struct does not have.
    """

    names: tuple[str, ...]

    def __init__(self, struct_type: type[msgspec.Struct], names: Iterable[str]) -> None: ...
    def given(self, params: msgspec.Struct) -> dict[str, object]:
        """Return those of them that a request has, also those that it unsets (None).

        Raises: TypeError for a struct of another type.
        """

    def has_any(self, params: msgspec.Struct) -> bool:
        """Return whether a request has any of them. Raises: TypeError for a struct of another type."""

class NumberSearch:
    """The check of every text of params before the search for card numbers.

    `kept` returns the names of the fields of a type of struct whose texts are looked at. It is called once
    for each type.
    """

    def __init__(self, kept: Callable[[type[msgspec.Struct]], Iterable[str]]) -> None: ...
    def may_find(self, params: object) -> bool:
        """Return whether a text in it may contain a card number, as `digit_runs.in_text` says."""

class EmptySearch:
    """The check of params for values that mean the same as none."""

    def may_find(self, params: object) -> bool:
        """Return whether it may have a null, or metadata that is empty or has a name without a value.

        A null that a field has by default does not count. Values of types that parameters do not have count.
        """
