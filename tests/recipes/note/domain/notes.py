"""Notes: what a merchant writes down about a customer."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import msgspec

from fastpay.domain import customers, metadata
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Draft, Workspace


class Note(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """A text about a customer."""

    prefix: ClassVar[str] = "note"
    noun: ClassVar[str] = "note"

    customer: str
    text: str
    metadata: dict[str, str] = {}


class CreateNote(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Write a note."""

    customer: str
    text: str
    metadata: Mapping[str, str] = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.customer,)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the note. Raises: NotFound without the customer."""
        customer = customers.require(workspace, self.customer, param="customer")
        note = Note(
            id=draft.new_id(Note.prefix),
            created=draft.moment_s,
            customer=customer.id,
            text=self.text,
            metadata=metadata.merge({}, self.metadata),
        )
        draft.put(note, "note.created")
        return note.id
