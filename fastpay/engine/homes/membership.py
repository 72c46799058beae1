"""Which instances are live, by the database's clock.

An instance renews its row whenever the timekeeper asks for the database's time: both are one statement. So
members cost no statement of their own, and an instance that cannot reach the database is no member.
With it goes whether an instance looks for what is due.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.duty import Duty
from fastpay.engine.homes.choice import Busy, HomeCount
from fastpay.engine.homes.ports import LATE, Load, Member, MemberStore, Roll
from fastpay.engine.timekeeper import MomentStore
from fastpay.errors import DatabaseUnavailable, Overloaded


class Membership:
    """Satisfies `MomentStore`.

    `changed` is called with the other members and the number of homes whenever one of both changes. `duty` is
    told of older members that look for what is due.
    """

    def __init__(self, store: MemberStore, moments: MomentStore, *, clock: Clock) -> None:
        self._clock = clock
        self.duty = Duty(clock)
        self._store = store
        self._moments = moments
        self._own: Member | None = None
        self._report: Callable[[], Mapping[str, int]] = dict
        self._changed: Callable[[Sequence[Member], int], None] = lambda _, __: None
        self._seen: tuple[tuple[Member, ...], int] = (), 1
        self._count = HomeCount()
        self._busy = Busy()
        self._waited_ms: Callable[[], int] = lambda: 0
        self._has_failed = False

    async def join(
        self,
        own: Member,
        *,
        report: Callable[[], Mapping[str, int]],
        changed: Callable[[Sequence[Member], int], None],
        waited_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        """Become a member, and learn of the others.

        `report` is shown to operators, and `waited_ms` is how long commands have waited since the last call.
        """
        self._own, self._report, self._changed, self._waited_ms = own, report, changed, waited_ms
        # The timekeeper asks again.
        with suppress(DatabaseUnavailable, Overloaded):
            await self.read_moment()

    async def leave(self) -> None:
        """Be a member no more. From now on nothing changes."""
        own, self._own = self._own, None
        self.duty.take()
        if own is not None:
            # If it is not deleted, the row becomes too old.
            with suppress(DatabaseUnavailable, Overloaded):
                await self._store.leave(own)

    async def read_moment(self) -> int:
        """Return the database's time, and renew our row. Raises: DatabaseUnavailable, Overloaded.

        A database that takes no writes still has a time: after a failure it is asked for that alone.
        """
        own = self._own
        if own is None or self._has_failed:
            self._has_failed = False
            return await self._moments.read_moment()
        try:
            percent, is_late = self._busy.percent(), self._waited_ms() >= limits.home_late_ms
            load = Load(LATE if is_late else percent, self._count.value, self.duty.is_done)
            asked_ns = self._clock.monotonic_ns()
            roll = await self._store.beat(own, load, self._report())
        except (DatabaseUnavailable, Overloaded):
            self._has_failed = True
            raise
        if own is self._own:
            self._share(own, roll, asked_ns)
            self._see(own, load, roll)
        return roll.moment_us

    def _share(self, own: Member, roll: Roll, asked_ns: int) -> None:
        if any(load.looks and one < own.member_id for one, load in roll.loads.items()):
            self.duty.relieve(asked_ns=asked_ns)
        else:
            self.duty.take()

    def _see(self, own: Member, load: Load, roll: Roll) -> None:
        seen = roll.members, self._count.see(own.member_id, {**roll.loads, own.member_id: load})
        if seen != self._seen:
            self._seen = seen
            self._changed(*seen)
