"""What the console's pages about operators ask of other floors."""

from typing import Protocol

import msgspec


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
    """Something that an operator did, and the tenant whose object it was, if there is one."""

    action_id: int
    moment_ms: int
    operator: str
    action: str
    subject: str
    request_id: str | None
    tenant_id: str | None
    tenant: str | None


class AuditStore(Protocol):
    """What operators did. Raises: DatabaseUnavailable, Overloaded."""

    async def audit(self, wanted: AuditFilter, below: int, rows_max: int) -> list[AuditEntry]:
        """Return the latest actions below an identifier, newest first."""
