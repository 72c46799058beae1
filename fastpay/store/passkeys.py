"""The passkeys of operators. They have no secret on this side: public keys are stored as they are."""

import uuid

from fastpay import limits
from fastpay.admin.console.operator_ports import NewPasskey, Outcome, OwnPasskey, Passkey, Spent
from fastpay.admin.console.ports import Operator
from fastpay.clock import Clock
from fastpay.store.pool import ReaderPool
from fastpay.store.random_values import random_uuid
from fastpay.store.statements import SQL


class PostgresPasskeys:
    """Satisfies `PasskeyStore`."""

    def __init__(self, pool: ReaderPool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def find(self, credential_id: bytes) -> Passkey | None:
        """Return a passkey, unless its operator is suspended."""
        found = await self._pool.fetch(SQL["operator_passkey_find"], credential_id)
        if not found:
            return None
        [(passkey_id, name, public_key, rp_id, sign_count, *operator)] = found
        return Passkey(passkey_id, name, public_key, rp_id, sign_count, Operator(*operator))

    async def passkeys(self, operator_id: uuid.UUID) -> list[OwnPasskey]:
        """Return an operator's passkeys, oldest first."""
        return [OwnPasskey(*row) for row in await self._pool.fetch(SQL["operator_passkey_list"], operator_id)]

    async def join(self, invitation: bytes, made: NewPasskey, session: bytes, agent: str) -> bool:
        """Use an invitation, and begin a session."""
        values = (invitation, *self._values(made), session, agent)
        return bool(await self._pool.fetch(SQL["operator_accept_passkey"], *values))

    async def add(self, operator_id: uuid.UUID, made: NewPasskey, spent: Spent) -> bool:
        """Add a passkey."""
        values = (operator_id, *self._values(made), spent.digest, spent.expires_ms, limits.passkeys_max)
        return bool(await self._pool.fetch(SQL["operator_passkey_add"], *values))

    async def sign_in(
        self, passkey: Passkey, sign_count: int, spent: Spent, session: bytes, agent: str
    ) -> bool:
        """Begin a session."""
        values = (passkey.passkey_id, sign_count, spent.digest, spent.expires_ms, session, agent)
        return bool(await self._pool.fetch(SQL["operator_passkey_sign_in"], *values))

    async def prove(self, passkey: Passkey, sign_count: int, spent: Spent, session: bytes) -> bool:
        """Note that a session is still its operator's."""
        values = (passkey.passkey_id, sign_count, spent.digest, spent.expires_ms, session)
        return bool(await self._pool.fetch(SQL["operator_passkey_prove"], *values))

    async def remove(self, operator_id: uuid.UUID, passkey_id: uuid.UUID, session: bytes) -> Outcome:
        """Remove a passkey and end the other sessions."""
        [[outcome]] = await self._pool.fetch(SQL["operator_passkey_remove"], operator_id, passkey_id, session)
        found: Outcome = outcome
        return found

    async def note(self, operator: Operator, action: str, subject: str) -> None:
        """Note what an operator did, where nothing else is written."""
        await self._pool.fetch(SQL["operator_note"], operator.name, action, subject, None, None)

    def _values(self, made: NewPasskey) -> tuple[uuid.UUID, str, bytes, bytes, str, int]:
        passkey_id = random_uuid(self._clock)
        return (passkey_id, made.name, made.credential_id, made.public_key, made.rp_id, made.sign_count)
