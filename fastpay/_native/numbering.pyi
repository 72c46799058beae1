"""The numbers of what one command has written: of its versions, and of its events."""

from typing import Any, final

from fastpay._native.identifiers import IdentifierSequence

@final
class Numbering:
    """Makes the versions and the events of a command, instances of these two types.

    The fields of the first are object, version and sequence. Those of the second are id, type, sequence,
    object_id and version. A payment makes three of each.
    """

    def __init__(self, versioned: type, event: type) -> None:
        """Raises: TypeError if a type has other fields."""

    def number(
        self,
        changed: dict[str, Any],
        announced: list[tuple[str, str]],
        held: dict[str, Any],
        sequence: int,
        identifiers: IdentifierSequence,
    ) -> tuple[list[Any], list[Any]]:
        """Return the new versions, and the events that follow `sequence`.

        `changed` has the objects by identifier, and `announced` the type of each event with the identifier
        of its object. `held` has the version before, if there is one. All versions have the number of the
        last event.
        Raises: KeyError for an event of an object that is not changed.
        """
