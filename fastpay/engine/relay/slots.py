"""How many attempts all endpoints together have in flight, and how many one of them may have."""

from collections.abc import Callable

from fastpay import limits

Pump = Callable[[], None]


class Slots:
    """Shares the attempts in flight: none may take the last ones, however many endpoints hang.

    An endpoint may have half as many as are free. So endpoints that never answer fill less and less of what
    is left, and a slot stays free for one that does.
    Source: A. Choudhury, E. Hahne, "Dynamic Queue Length Thresholds in a Shared Memory ATM Switch", 1998.
    """

    def __init__(self, total: int = limits.relay_in_flight_max) -> None:
        self._total = total
        self._waiting: dict[Pump, None] = {}
        self.in_use = 0

    def share(self) -> int:
        """Return how many attempts an endpoint may have in flight now."""
        free = self._total - self.in_use
        return max(free // 2, min(free, 1))

    def take(self) -> None:
        """Note that an attempt begins."""
        self.in_use += 1

    def give(self) -> None:
        """Note that an attempt has ended, and wake an endpoint that waits for that."""
        self.in_use -= 1
        if self._waiting:
            pump = next(iter(self._waiting))
            del self._waiting[pump]
            pump()

    def wait(self, pump: Pump) -> None:
        """Have `pump` called once, when an attempt has ended."""
        self._waiting[pump] = None

    def forget(self, pump: Pump) -> None:
        """Do not call it any more."""
        self._waiting.pop(pump, None)
