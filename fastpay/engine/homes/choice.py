"""Which members are homes, and which of them is the home of a tenant and mode.

A batch of one command costs the database and the writer many times what one more command of a batch does. So
as few members are homes as carry the writing: at first one, the oldest. How many is what the oldest member
says, and the others repeat:

    what the oldest member sees                                               how many homes
    ------------------------------------------------------------------------  --------------------------------
    commands have waited for `home_late_ms` at a home                         all members
    for `home_busy_looks`, homes use `home_busy_percent` of a processor each  one more
    for `home_idle_looks`, one home fewer would use `home_idle_percent` each  one fewer
    anything else                                                             as many

A home that is late and not busy does not get the processor: too many others want it, or its container is
limited. More homes get more of it together. That is dearer, and stays so for `home_late_looks`.

Among the homes, rendezvous hashing chooses. Every instance that sees the same members chooses the same one. A
home that joins takes only the tenants that it is chosen for, and those of one that leaves are spread over all
others. Source: D. Thaler, C. Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping

from fastpay import limits
from fastpay.clock import SystemClock, running_ns
from fastpay.domain.identifiers import Scope
from fastpay.engine.homes.ports import LATE, Load


def homes_among(member_ids: Iterable[str], count: int) -> list[str]:
    """Return the members that are homes: the oldest, whose identifiers sort first."""
    return sorted(member_ids)[:count]


def choose_home(scope: Scope, homes: Iterable[str]) -> str:
    """Return the home with the highest digest of its identifier together with the tenant and mode."""
    name = f"{scope.tenant_id}{'live' if scope.livemode else 'test'}"
    return max(homes, key=lambda one: hashlib.blake2b(f"{one} {name}".encode(), digest_size=16).digest())


class HomeCount:
    """How many members are homes."""

    def __init__(self) -> None:
        self.value = 1
        self._busy_looks = 0
        self._idle_looks = 0
        self._late_looks = 0

    def see(self, own_id: str, loads: Mapping[str, Load]) -> int:
        """Return how many homes there are now. `loads` are those of all live members, this one included."""
        homes = homes_among(loads, self.value)
        if homes[0] != own_id:
            self.value = loads[homes[0]].homes
            self._busy_looks = self._idle_looks = self._late_looks = 0
        elif any(loads[one].busy == LATE for one in homes):
            self.value = len(loads)
            self._busy_looks, self._idle_looks, self._late_looks = 0, 0, limits.home_late_looks
        else:
            self._late_looks -= 1
            self._decide(sum(loads[one].busy for one in homes), len(homes), len(loads))
        return self.value

    def _decide(self, busy: int, homes: int, members: int) -> None:
        is_busy = homes < members and busy >= homes * limits.home_busy_percent
        is_idle = homes > 1 and self._late_looks <= 0 and busy <= (homes - 1) * limits.home_idle_percent
        self._busy_looks = self._busy_looks + 1 if is_busy else 0
        self._idle_looks = self._idle_looks + 1 if is_idle else 0
        self.value = homes
        if self._busy_looks >= limits.home_busy_looks:
            self.value, self._busy_looks = homes + 1, 0
        elif self._idle_looks >= limits.home_idle_looks:
            self.value, self._idle_looks = homes - 1, 0


class Busy:
    """How much of a processor this thread has used. `now` and `used` count nanoseconds."""

    def __init__(
        self,
        now: Callable[[], int] = SystemClock.monotonic_ns,
        used: Callable[[], int] = running_ns,
    ) -> None:
        self._now, self._used = now, used
        self._before = now(), used()

    def percent(self) -> int:
        """Return the share since the last call, from 0 to 100."""
        before, self._before = self._before, (self._now(), self._used())
        passed_ns = max(1, self._before[0] - before[0])
        return min(100, 100 * (self._before[1] - before[1]) // passed_ns)
