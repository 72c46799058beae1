"""What an operator has configured of processors, as a store returns it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.domain.routing import Rule

Kind = Literal["stripe", "localstripe", "http"]


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What signs our requests to a processor, and what signs its webhooks to us."""

    secret: str
    webhook_secret: str | None = None

    def __repr__(self) -> str:
        """Show nothing of them."""
        return "Secrets(...)"

    __str__ = __repr__


class SavedCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a processor calls a card that it keeps for later payments. No other processor knows it."""

    processor: str
    token: str

    def __repr__(self) -> str:
        """Show nothing of the token."""
        return f"SavedCard({self.processor!r})"

    __str__ = __repr__


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """A processor of a tenant. Its secrets are None if they cannot be opened: the log says why."""

    name: str
    kind: Kind
    url: str
    secrets: Secrets | None
    is_enabled: bool
    is_default: bool
    created_at: datetime


class Configuration(msgspec.Struct, frozen=True):
    """All processors of a tenant in one mode, and the rules that choose among them."""

    processors: Sequence[Configured]
    rules: Sequence[Rule]


class ProcessorConfigurations(Protocol):
    """The configured processors of all tenants."""

    async def load(self, scope: Scope) -> Configuration:
        """Return what is configured now. Raises: DatabaseUnavailable, Overloaded."""

    async def keep_card(self, scope: Scope, payment_method: str, saved: SavedCard) -> None:
        """Store what a processor calls a card, unless that is known. Raises: DatabaseUnavailable."""

    async def find_card(self, scope: Scope, payment_method: str) -> SavedCard | None:
        """Return what a processor calls a card, if one keeps it. Raises: DatabaseUnavailable, Overloaded."""

    async def scopes_of(self, name: str) -> Sequence[Scope]:
        """Return who has a processor of this name. Raises: DatabaseUnavailable, Overloaded."""
