"""Lets the owner of an embedded database into the console, without a command."""

from fastpay.admin.console.tokens import digest_of, make_token
from fastpay.clock import Clock
from fastpay.store.connections import connected
from fastpay.store.operators import invite, list_operators
from fastpay.store.random_values import random_uuid

_NAME = "owner"


async def invite_owner(database_url: str, clock: Clock) -> str | None:
    """Return the path of an invitation for an administrator, None once anybody has joined.

    Until then each start makes another one, which ends the one before.
    """
    async with connected(database_url) as connection:
        if any(operator.is_set_up for operator in await list_operators(connection)):
            return None
        token = make_token(clock)
        await invite(connection, random_uuid(clock), _NAME, "admin", digest_of(token))
    return f"/console/invitation/{token}"
