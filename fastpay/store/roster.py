"""Administers the operators of the console: who there is, and who may do what."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastpay import limits
from fastpay.admin.console.operator_ports import ListedOperator, Outcome
from fastpay.admin.console.tokens import digest_of, make_token
from fastpay.clock import Clock
from fastpay.store.random_values import random_uuid
from fastpay.store.statements import SQL


class Roster:
    """Satisfies `OperatorRoster`. `fetch` runs a statement: a pool's for the console, a connection's else."""

    def __init__(self, fetch: Callable[..., Awaitable[list[Any]]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock

    async def list(self) -> list[ListedOperator]:
        """Return all operators, in the order of their names."""
        bounds = (limits.console_idle_ms, limits.console_session_ms)
        return [ListedOperator(*row) for row in await self._fetch(SQL["operator_list"], *bounds)]

    async def invite(self, actor: str, name: str, role: str) -> str | None:
        """Return the token of a new invitation, None if somebody of this name has joined."""
        token, operator_id = make_token(self._clock), random_uuid(self._clock)
        values = (operator_id, name, role, digest_of(token), limits.invitation_ms, actor)
        return token if await self._fetch(SQL["operator_invite"], *values) else None

    async def reset(self, actor: str, name: str) -> str | None:
        """End all of an operator's ways in and sessions, and return the token of a new invitation."""
        token = make_token(self._clock)
        values = (name, digest_of(token), limits.invitation_ms, actor)
        return token if await self._fetch(SQL["operator_reset"], *values) else None

    async def set_role(self, actor: str, name: str, role: str) -> Outcome:
        """Change an operator's role."""
        return await self._change("operator_set_role", name, role, actor)

    async def suspend(self, actor: str, name: str) -> Outcome:
        """Let an operator in no more, and end all sessions."""
        return await self._change("operator_suspend", name, actor)

    async def enable(self, actor: str, name: str) -> Outcome:
        """Let a suspended operator in again."""
        return await self._change("operator_enable", name, actor)

    async def end_sessions(self, actor: str, name: str) -> Outcome:
        """End all of an operator's sessions."""
        return await self._change("operator_end_sessions", name, actor)

    async def _change(self, statement: str, *values: str) -> Outcome:
        [[outcome]] = await self._fetch(SQL[statement], *values)
        found: Outcome = outcome
        return found
