"""Which of several instances looks for what is due: one does, and not each of them every second.

Each instance tells the others whether it looks, with its row of `member`. It does so while each of its looks
has succeeded a short time ago:

    what the others say                                  this instance
    ---------------------------------------------------  -------------
    an older one that is live looks                      does not look
    no older one does, or it has stopped, fails, hangs   looks
    nothing: it is alone, or is not told who is live     looks

So a look that fails at one instance, as where its clock is wrong, is made by the next one. While nothing is
due such a look succeeds, and the duty goes back: each thing that becomes due waits for the next one anew.
Two that look at once do no harm: what is due is changed by a command that looks at the state again.
"""

from collections.abc import Awaitable, Callable

from fastpay import limits
from fastpay.clock import Clock


class Duty:
    """Tells whether this instance looks for what is due. It does until it is relieved."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._relieved_until_ns = clock.monotonic_ns()
        # When the last look of each kind that succeeded has ended.
        self._looked_ns: dict[str, int | None] = {}

    @property
    def is_ours(self) -> bool:
        """Whether this instance has to look."""
        return self._clock.monotonic_ns() >= self._relieved_until_ns

    @property
    def is_done(self) -> bool:
        """Whether this instance looks, and has succeeded with all of it a short time ago."""
        oldest_ns = self._clock.monotonic_ns() - limits.due_looked_ms * 1_000_000
        looks = self._looked_ns.values()
        return self.is_ours and bool(looks) and all(one is not None and one >= oldest_ns for one in looks)

    def relieve(self, *, asked_ns: int) -> None:
        """Leave it to an older instance, which has said at this time or later that it looks."""
        self._relieved_until_ns = asked_ns + limits.due_relieved_ms * 1_000_000

    def take(self) -> None:
        """Look from now on."""
        self._relieved_until_ns = self._clock.monotonic_ns()

    def shared(self, name: str, look: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
        """Return a look that is made only if it is ours, and is noted if it succeeds."""
        self._looked_ns[name] = None

        async def share() -> int:
            if not self.is_ours:
                return 0
            count = await look()
            self._looked_ns[name] = self._clock.monotonic_ns()
            return count

        return share
