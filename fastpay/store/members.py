"""The list of live instances in the database."""

from collections.abc import Mapping
from typing import Any

import msgspec

from fastpay import limits
from fastpay.engine.homes.ports import Load, Member, Roll
from fastpay.store.pool import ReaderPool
from fastpay.store.statements import SQL


class LiveMember(msgspec.Struct, frozen=True):
    """A member as an operator sees it. `report` are its counters; see `Load` for `busy` and `homes`."""

    member_id: str
    release: str
    address: str | None
    busy: int
    homes: int
    report: dict[str, int]
    age_s: int


class PostgresMembers:
    """Satisfies `MemberStore`."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool

    async def beat(self, own: Member, load: Load, report: Mapping[str, int]) -> Roll:
        """Renew our row and list the others. Raises: DatabaseUnavailable, Overloaded."""
        found = await self._pool.fetch(
            SQL["member_beat"],
            own.member_id,
            own.release,
            own.socket,
            own.address,
            load.busy,
            load.homes,
            msgspec.json.encode({**report, "looks": int(load.looks)}).decode(),
            limits.member_alive_ms,
        )
        others = [row for row in found if row["member_id"] is not None]
        return Roll(
            found[0]["moment_us"],
            tuple(Member(row["member_id"].hex, own.release, row["socket"], row["address"]) for row in others),
            {row["member_id"].hex: Load(row["busy"], row["homes"], row["looks"]) for row in others},
        )

    async def leave(self, own: Member) -> None:
        """Delete our row. Raises: DatabaseUnavailable, Overloaded."""
        await self._pool.fetch(SQL["member_leave"], own.member_id)


async def list_members(connection: Any) -> list[LiveMember]:
    """Return the live members, the oldest first. `connection` is of asyncpg, which has no types."""
    return [
        LiveMember(
            row["member_id"].hex,
            row["release"],
            row["address"],
            row["busy"],
            row["homes"],
            msgspec.json.decode(row["report"], type=dict[str, int]),
            row["age_s"],
        )
        for row in await connection.fetch(SQL["member_list"], limits.member_alive_ms)
    ]
