"""What the console's pages about operators ask of other floors. All raise DatabaseUnavailable, Overloaded."""

import uuid
from typing import Literal, Protocol

import msgspec

from fastpay.admin.console.ports import Operator

# What became of a change. Nobody is left who administers, or nothing to sign in with: then nothing was done.
Outcome = Literal["done", "missing", "last_admin", "last_way"]


class AuditFilter(msgspec.Struct, frozen=True):
    """Which actions to show; None is all. `action` is how its name begins, times are since 1970.

    `tenant` is a name or an identifier, `since` is included, `until` is not.
    """

    operator: str | None = None
    action: str | None = None
    tenant: str | None = None
    since: int | None = None
    until: int | None = None


class AuditEntry(msgspec.Struct, frozen=True):
    """Something that an operator did, what was changed, and whose object it was, if there is a tenant."""

    action_id: int
    moment_ms: int
    operator: str
    action: str
    subject: str
    detail: str | None
    request_id: str | None
    tenant_id: str | None
    tenant: str | None


class AuditStore(Protocol):
    """What operators did."""

    async def audit(self, wanted: AuditFilter, below: int, rows_max: int) -> list[AuditEntry]:
        """Return the latest actions below an identifier, newest first."""


class ListedOperator(msgspec.Struct, frozen=True):
    """An operator, with the ways in and the sessions that are open."""

    name: str
    role: str
    disabled: bool
    has_password: bool
    passkeys: int
    sessions: int
    seen_ms: int | None

    @property
    def state(self) -> str:
        """Suspended, active, or invited: who has nothing to sign in with."""
        if self.disabled:
            return "suspended"
        return "active" if self.has_password or self.passkeys else "invited"


class OperatorRoster(Protocol):
    """Administers operators. Each method is one commit, with the note that `actor` did it.

    The last administrator who can sign in keeps the role and is not suspended.
    """

    async def list(self) -> list[ListedOperator]:
        """Return all operators, in the order of their names."""

    async def invite(self, actor: str, name: str, role: str) -> str | None:
        """Return the token of a new invitation, None if somebody of this name has joined."""

    async def reset(self, actor: str, name: str) -> str | None:
        """End all of an operator's ways in and sessions, and return the token of a new invitation.

        None if nobody has this name, or the operator is suspended.
        """

    async def set_role(self, actor: str, name: str, role: str) -> Outcome:
        """Change an operator's role."""

    async def suspend(self, actor: str, name: str) -> Outcome:
        """Let an operator in no more, and end all sessions. Ways in are kept."""

    async def enable(self, actor: str, name: str) -> Outcome:
        """Let a suspended operator in again."""

    async def end_sessions(self, actor: str, name: str) -> Outcome:
        """End all of an operator's sessions."""


class NewPasskey(msgspec.Struct, frozen=True):
    """A passkey to store. `rp_id` is the host that it is good for."""

    name: str
    credential_id: bytes
    public_key: bytes
    rp_id: str
    sign_count: int


class Passkey(msgspec.Struct, frozen=True):
    """A passkey that somebody signs in with, and whose it is."""

    passkey_id: uuid.UUID
    name: str
    public_key: bytes
    rp_id: str
    sign_count: int
    operator: Operator


class OwnPasskey(msgspec.Struct, frozen=True):
    """A passkey as its owner sees it."""

    passkey_id: uuid.UUID
    name: str
    credential_id: bytes
    rp_id: str
    created_ms: int
    used_ms: int | None


class Spent(msgspec.Struct, frozen=True):
    """A challenge that was answered: its digest, and until when it would have been good."""

    digest: bytes
    expires_ms: int


class PasskeyStore(Protocol):
    """Passkeys. A challenge is good once: what it is good for is in the commit that notes it as spent."""

    async def find(self, credential_id: bytes) -> Passkey | None:
        """Return a passkey, unless its operator is suspended."""

    async def passkeys(self, operator_id: uuid.UUID) -> list[OwnPasskey]:
        """Return an operator's passkeys, oldest first."""

    async def join(self, invitation: bytes, made: NewPasskey, session: bytes, agent: str) -> bool:
        """Use an invitation, and begin a session. Return whether it was still good."""

    async def add(self, operator_id: uuid.UUID, made: NewPasskey, spent: Spent) -> bool:
        """Add a passkey. Return False if the challenge is spent, or the passkey is somebody's."""

    async def sign_in(
        self, passkey: Passkey, sign_count: int, spent: Spent, session: bytes, agent: str
    ) -> bool:
        """Begin a session. Return False if the challenge is spent, or the counter did not go on."""

    async def prove(self, passkey: Passkey, sign_count: int, spent: Spent, session: bytes) -> bool:
        """Note that a session is still its operator's. Return False as `sign_in` does."""

    async def remove(self, operator_id: uuid.UUID, passkey_id: uuid.UUID, session: bytes) -> Outcome:
        """Remove a passkey and end the other sessions."""

    async def note(self, operator: Operator, action: str, subject: str) -> None:
        """Note what an operator did, where nothing else is written."""


class OwnSession(msgspec.Struct, frozen=True):
    """A session as its owner sees it. `way` is invitation, code or passkey."""

    way: str
    agent: str
    created_ms: int
    seen_ms: int
    is_this: bool


class AccessStore(Protocol):
    """How one operator gets in, as that operator changes it. `session` is the digest of the asking one."""

    async def has_password(self, operator_id: uuid.UUID) -> bool:
        """Tell whether there is a password with a second factor."""

    async def sessions(self, operator_id: uuid.UUID, session: bytes) -> list[OwnSession]:
        """Return the open sessions, newest first."""

    async def prove(self, operator_id: uuid.UUID, step: int, session: bytes) -> bool:
        """Note that a session is still its operator's. Return False if the code was used, or it is locked."""

    async def change_password(self, operator_id: uuid.UUID, password_hash: str, session: bytes) -> bool:
        """Change the password and end the other sessions. Return whether there was one."""

    async def change_authenticator(
        self, operator_id: uuid.UUID, secret: bytes, step: int, password_hash: str | None, session: bytes
    ) -> bool:
        """Store another second factor and end the other sessions.

        Return False without a password: neither a new one nor one from before.
        """

    async def remove_password(self, operator_id: uuid.UUID, session: bytes) -> Outcome:
        """Remove the password with its second factor and end the other sessions."""

    async def end_others(self, operator_id: uuid.UUID, session: bytes) -> None:
        """End the other sessions."""
