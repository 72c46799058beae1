"""Being a member costs no statement of its own, and a database that takes no writes still tells its time."""

from collections.abc import Mapping

import pytest

from fastpay.engine.homes.membership import Membership
from fastpay.engine.homes.ports import Load, Member, Roll
from fastpay.errors import DatabaseUnavailable
from tests.unit.engine.hand_clock import HandClock

OWN, OTHER = (Member(name, "release", name) for name in ("2", "1"))


class Database:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.others: tuple[Member, ...] = ()
        self.homes = 1
        self.is_read_only = False

    async def read_moment(self) -> int:
        self.asked.append("moment")
        return 1

    async def beat(self, own: Member, load: Load, report: Mapping[str, int]) -> Roll:
        self.asked.append("beat")
        if self.is_read_only:
            raise DatabaseUnavailable("read-only")
        assert report == {"served": 3}
        return Roll(2, self.others, {other.member_id: Load(0, self.homes) for other in self.others})

    async def leave(self, own: Member) -> None:
        self.asked.append("leave")


async def test_each_look_at_the_time_is_one_statement_and_renews_the_row_of_a_member() -> None:
    database, seen = Database(), list[tuple[object, int]]()
    membership = Membership(database, database, clock=HandClock())
    assert await membership.read_moment() == 1
    await membership.join(OWN, report=lambda: {"served": 3}, changed=lambda *one: seen.append(one))
    assert await membership.read_moment() == 2
    assert database.asked == ["moment", "beat", "beat"]
    assert seen == []
    database.others = (OTHER,)
    for _ in range(2):
        await membership.read_moment()
    assert seen == [((OTHER,), 1)]
    # This one is younger than the other, and so repeats what that one says.
    database.homes = 2
    for _ in range(2):
        await membership.read_moment()
    assert seen == [((OTHER,), 1), ((OTHER,), 2)]
    await membership.leave()
    assert await membership.read_moment() == 1
    assert database.asked[-2:] == ["leave", "moment"]
    # Who leaves still forwards to those who stay.
    assert len(seen) == 2


async def test_a_database_that_takes_no_writes_is_asked_for_its_time_every_second_look() -> None:
    database = Database()
    database.is_read_only = True
    membership = Membership(database, database, clock=HandClock())
    await membership.join(OWN, report=lambda: {"served": 3}, changed=lambda *_: None)
    assert await membership.read_moment() == 1
    with pytest.raises(DatabaseUnavailable):
        await membership.read_moment()
    database.is_read_only = False
    assert await membership.read_moment() == 1
    assert await membership.read_moment() == 2
