"""How one operator gets in: password, second factor and sessions, as that operator changes them."""

import uuid

from fastpay import limits
from fastpay.admin.console.operator_ports import Outcome, OwnSession
from fastpay.store.operators import second_factor_binding
from fastpay.store.pool import ReaderPool
from fastpay.store.sealing import Vault
from fastpay.store.statements import SQL


class PostgresAccess:
    """Satisfies `AccessStore`."""

    def __init__(self, pool: ReaderPool, vault: Vault) -> None:
        self._pool = pool
        self._vault = vault

    async def has_password(self, operator_id: uuid.UUID) -> bool:
        """Tell whether there is a password with a second factor."""
        [[found]] = await self._pool.fetch(SQL["operator_has_password"], operator_id)
        return bool(found)

    async def sessions(self, operator_id: uuid.UUID, session: bytes) -> list[OwnSession]:
        """Return the open sessions, newest first."""
        values = (operator_id, session, limits.console_idle_ms, limits.console_session_ms)
        return [OwnSession(*row) for row in await self._pool.fetch(SQL["operator_sessions"], *values)]

    async def prove(self, operator_id: uuid.UUID, step: int, session: bytes) -> bool:
        """Note that a session is still its operator's."""
        return bool(await self._pool.fetch(SQL["operator_prove"], operator_id, step, session))

    async def change_password(self, operator_id: uuid.UUID, password_hash: str, session: bytes) -> bool:
        """Change the password and end the other sessions."""
        values = (operator_id, password_hash, session)
        return bool(await self._pool.fetch(SQL["operator_change_password"], *values))

    async def change_authenticator(
        self, operator_id: uuid.UUID, secret: bytes, step: int, password_hash: str | None, session: bytes
    ) -> bool:
        """Store another second factor and end the other sessions."""
        sealed = self._vault.seal(secret, second_factor_binding(operator_id))
        values = (operator_id, sealed.content, sealed.under, step, password_hash, session)
        return bool(await self._pool.fetch(SQL["operator_change_authenticator"], *values))

    async def remove_password(self, operator_id: uuid.UUID, session: bytes) -> Outcome:
        """Remove the password with its second factor and end the other sessions."""
        [[outcome]] = await self._pool.fetch(SQL["operator_password_remove"], operator_id, session)
        found: Outcome = outcome
        return found

    async def end_others(self, operator_id: uuid.UUID, session: bytes) -> None:
        """End the other sessions."""
        await self._pool.fetch(SQL["operator_end_others"], operator_id, session)
