"""Commands that go wrong, each in its own way."""

from collections.abc import Iterable

import msgspec

from fastpay.domain import ledger
from fastpay.domain.objects import Customer
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InvalidRequest


class Faulty(msgspec.Struct, frozen=True, kw_only=True):
    """A command with a fault in it."""

    where: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Need nothing, or fail."""
        if self.where == "needs":
            raise ZeroDivisionError
        return ()

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write something and then fail."""
        draft.put(Customer(id=draft.new_id("cus"), created=0), "customer.created")
        raise ZeroDivisionError


class Regretful(msgspec.Struct, frozen=True, kw_only=True):
    """A command that moves money and is refused after that."""

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Need the accounts."""
        return ledger.account_ids(workspace.scope, "usd")

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Move something, write something, fail."""
        identifier = draft.new_id("cus")
        draft.put(Customer(id=identifier, created=0), "customer.created")
        draft.transfer(
            "capture", debit="processor", credit="pending", currency="usd", amount=5, source_id=identifier
        )
        raise InvalidRequest("No.")


class Unwritable(msgspec.Struct, frozen=True, kw_only=True):
    """A command whose object cannot be stored."""

    email: str = "unwritable"

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Need nothing."""
        return ()

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write it all the same."""
        identifier = draft.new_id("cus")
        draft.put(Customer(id=identifier, created=0, email=self.email), "customer.created")
        return identifier
