"""The operators of the console, their sessions and what they did."""

import uuid

import msgspec

from fastpay import limits
from fastpay.admin.console.operator_ports import AuditEntry, AuditFilter
from fastpay.admin.console.ports import Action, Credentials, NewCredentials, Operator
from fastpay.store.pool import ReaderPool
from fastpay.store.sealing import Binding, Sealed, Vault
from fastpay.store.statements import SQL

_NOBODYS = uuid.UUID(int=0)


class PostgresOperators:
    """Satisfies `OperatorStore`. Second factors are sealed in the vault."""

    def __init__(self, pool: ReaderPool, vault: Vault) -> None:
        self._pool = pool
        self._vault = vault

    async def invited(self, digest: bytes) -> Operator | None:
        """Return whose invitation this is, while it is good."""
        found = await self._pool.fetch(SQL["operator_invitation_find"], digest)
        return Operator(*found[0]) if found else None

    async def accept(self, invitation: bytes, operator: Operator, made: NewCredentials) -> bool:
        """Use an invitation, and begin a session."""
        sealed = self._vault.seal(made.secret, second_factor_binding(operator.operator_id))
        values = (
            invitation,
            made.password_hash,
            sealed.content,
            sealed.under,
            made.step,
            made.session,
            made.agent,
        )
        return bool(await self._pool.fetch(SQL["operator_accept"], *values))

    async def find(self, name: str) -> Credentials | None:
        """Return what a sign-in is compared with. Raises: SecretUnreadable."""
        found = await self._pool.fetch(SQL["operator_find"], name)
        if not found:
            return None
        (row,) = found
        operator = Operator(row["operator_id"], row["name"], row["role"])
        sealed = Sealed(row["sealed_secret"], row["sealed_under"])
        secret = self._vault.open(sealed, second_factor_binding(operator.operator_id))
        return Credentials(operator, row["password_hash"], secret, row["last_step"], row["is_locked"])

    async def sign_in(self, operator_id: uuid.UUID, step: int, session: bytes, agent: str) -> bool:
        """Begin a session."""
        return bool(await self._pool.fetch(SQL["operator_sign_in"], operator_id, step, session, agent))

    async def sign_in_failed(self, operator_id: uuid.UUID) -> None:
        """Count a wrong password or code."""
        await self._pool.fetch(
            SQL["operator_sign_in_failed"],
            operator_id,
            limits.sign_in_failures_max,
            limits.sign_in_lock_ms,
            limits.sign_in_lock_ms_max,
        )

    async def session(self, digest: bytes) -> Operator | None:
        """Return the operator of a session."""
        bounds = (limits.console_idle_ms, limits.console_session_ms, limits.proof_ms)
        found = await self._pool.fetch(SQL["operator_session_find"], digest, *bounds)
        return Operator(*found[0]) if found else None

    async def sign_out(self, digest: bytes, *, everywhere: bool) -> None:
        """End a session, or all of its operator's."""
        await self._pool.fetch(SQL["operator_sign_out"], digest, everywhere)

    async def note(
        self,
        operator: Operator,
        action: str,
        subject: str,
        *,
        tenant_id: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Note what an operator did, where nothing else is written."""
        tenant = None if tenant_id is None else uuid.UUID(tenant_id)
        said = None if detail is None else detail[: limits.operator_detail_chars_max]
        await self._pool.fetch(SQL["operator_note"], operator.name, action, subject, tenant, said)

    async def actions(self, subject: str, rows_max: int) -> list[Action]:
        """Return the latest actions on one subject, newest first."""
        return [Action(*row) for row in await self._pool.fetch(SQL["operator_actions"], subject, rows_max)]

    async def audit(self, wanted: AuditFilter, below: int, rows_max: int) -> list[AuditEntry]:
        """Return the latest actions below an identifier, newest first."""
        filters = msgspec.structs.astuple(wanted)
        found = await self._pool.fetch(SQL["operator_audit"], below, rows_max, *filters)
        return [AuditEntry(*row) for row in found]


def second_factor_binding(operator_id: uuid.UUID) -> Binding:
    """Return what the sealed secret of an operator's authenticator is bound to."""
    return Binding("operator", _NOBODYS, None, operator_id)
