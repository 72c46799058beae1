"""Lets the owner of an embedded database into the console, without a command."""

from typing import Any

from fastpay.admin.console.names import COMMAND_LINE
from fastpay.clock import Clock
from fastpay.store.roster import Roster

_NAME = "owner"


async def invite_owner(connection: Any, clock: Clock) -> str | None:
    """Return the path of an invitation for an administrator, None once anybody has joined.

    Until then each start makes another one, which ends the one before.
    """
    roster = Roster(connection.fetch, clock)
    if any(one.has_password or one.passkeys for one in await roster.list()):
        return None
    token = await roster.invite(COMMAND_LINE, _NAME, "admin")
    return f"/console/invitation/{token}"
