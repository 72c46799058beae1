"""One budget for all bytes in flight: requests that are not answered yet, and answers that are not read yet.

Whoever holds such bytes opens a holding and tells it how many they are as they come and go. A holding is
charged to accounts: one for the client's address, and one for its API key once that is known.

    movable    its client has to act (send the rest of a body, read an answer): it can be given up
    pinned     a handler is at work on it: it is counted, and ends by itself soon. It is not refused any more,
               since whoever is told to come again must not have been served
    given up   its owner was told to end it, and its bytes are about to be freed

When the budget is short, the accounts with the most give up first, and in an account whatever has not grown
for longest. Accounts are kept in levels by powers of two, so the heaviest is found, to within a factor of
two, in constant time. If nobody holds more than who asks, the one who asks is refused.

Every open connection counts as `holding_bytes_min`, and a request or an answer up to that size opens no
holding: small ones, which are nearly all, cost one comparison. Together they count for at most half of the
budget.
"""

from collections.abc import Callable, Hashable

from fastpay import limits
from fastpay._native.service import INFLIGHT_EXHAUSTED, INFLIGHT_SHARE
from fastpay.server.freed_memory import FreedMemory

_LEVELS = 64


class Account:
    """What one address or key holds."""

    __slots__ = ("held", "level", "movable", "name")

    def __init__(self, name: Hashable) -> None:
        self.name = name
        self.held = 0
        self.level = 0
        # In the order in which they last grew.
        self.movable: dict[Holding, None] = {}


class Holding:
    """Bytes of one request or answer; it must be released when they are freed."""

    __slots__ = ("_accounts", "_budget", "_give_up", "_grown_ns", "_is_movable", "_is_open", "size")

    def __init__(self, budget: "BytesBudget", give_up: Callable[[int], object]) -> None:
        self._budget = budget
        self._give_up: Callable[[int], object] | None = give_up
        self._accounts: list[Account] = []
        self._is_movable = True
        self._is_open = True
        self._grown_ns = 0
        self.size = 0

    def charge_to(self, name: Hashable) -> None:
        """Charge another account as well; nothing happens if it is charged already."""
        if self._is_open and all(account.name != name for account in self._accounts):
            account = self._budget.account(name)
            self._accounts.append(account)
            self._budget.add(account, self.size)
            if self._is_movable:
                account.movable[self] = None

    def resize(self, size: int) -> int:
        """Say how many bytes there are now; return 0, or the reason to refuse and release them."""
        more = size - self.size
        self.count(size)
        if more <= 0 or not self._is_open:
            return 0
        self._grown_ns = self._budget.now_ns()
        if self._is_movable:
            for account in self._accounts:
                del account.movable[self]
                account.movable[self] = None
        reason = self._budget.make_room(self)
        if reason:
            # Whatever comes in the same turn of the loop must not be refused for bytes that are about to go.
            self._leave()
        return reason

    def count(self, size: int) -> None:
        """Say how many bytes there are now, of a request that is refused no more."""
        more = size - self.size
        self.size = size
        if not self._is_open:
            self._budget.note_leaving(more)
            return
        for account in self._accounts:
            self._budget.add(account, more)
        self._budget.note(more)

    def pin(self) -> None:
        """Say that a handler is at work, so that the bytes cannot be given up."""
        if self._is_movable and self._is_open:
            for account in self._accounts:
                del account.movable[self]
        self._is_movable = False

    def unpin(self) -> None:
        """Say that the client has to act again."""
        if not self._is_movable and self._is_open:
            self._is_movable = True
            for account in self._accounts:
                account.movable[self] = None

    def release(self) -> None:
        """Say that the bytes are freed."""
        self.resize(0)
        self._close()

    def give_up(self, reason: int) -> None:
        """Have the owner end what it holds, and count it as leaving until it is released."""
        tell = self._give_up
        self._leave()
        assert tell is not None
        tell(reason)

    def has_waited(self, milliseconds: int) -> bool:
        """Tell whether nothing was added for so long."""
        return self._budget.now_ns() - self._grown_ns >= milliseconds * 1_000_000

    @property
    def accounts(self) -> list[Account]:
        """Who is charged."""
        return self._accounts

    def _leave(self) -> None:
        size = self.size
        self.release()
        self.size = size
        self._budget.note_leaving(size)

    def _close(self) -> None:
        if self._is_open:
            self.pin()
            self._is_open = False
            self._give_up = None
            for account in self._accounts:
                self._budget.forget_if_empty(account)
            self._accounts = []


class BytesBudget:
    """Counts the bytes in flight of one process, and keeps them within a bound, fairly."""

    def __init__(
        self, bytes_max: int, *, count_connections: Callable[[], int], now_ns: Callable[[], int]
    ) -> None:
        self._bytes_max = bytes_max
        self._account_bytes_max = bytes_max * 3 // 4
        self._count_connections = count_connections
        self.now_ns = now_ns
        # What is held, and what of it was given up but not yet freed.
        self.held = 0
        self.leaving = 0
        self.refused = 0
        self.given_up = 0
        self._accounts: dict[Hashable, Account] = {}
        self._levels: list[dict[Account, None]] = [{} for _ in range(_LEVELS)]
        self._is_busy = False
        self._freed = FreedMemory(now_ns)

    def open(self, give_up: Callable[[int], object], names: tuple[Hashable, ...]) -> Holding:
        """Return a holding without bytes that is charged to these accounts.

        `give_up(reason)` is called at most once. It must end what is held, which then releases the holding.
        """
        holding = Holding(self, give_up)
        for name in names:
            holding.charge_to(name)
        return holding

    def held_by(self, name: Hashable) -> int:
        """Return what an account holds."""
        account = self._accounts.get(name)
        return 0 if account is None else account.held

    def count_accounts(self) -> int:
        """Return how many accounts hold something."""
        return len(self._accounts)

    def tick(self) -> None:
        """Give freed memory back to the system where a surge is over; called a few times a second."""
        self._freed.give_back(self.held)

    # What holdings tell.

    def account(self, name: Hashable) -> Account:
        """Return the account of this name."""
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = Account(name)
            self._levels[0][account] = None
        return account

    def add(self, account: Account, more: int) -> None:
        """Change what an account holds."""
        account.held += more
        level = account.held.bit_length()
        if level != account.level:
            del self._levels[account.level][account]
            self._levels[level][account] = None
            account.level = level

    def note(self, more: int) -> None:
        """Change what all hold together."""
        self.held += more

    def note_leaving(self, more: int) -> None:
        """Change what is held and was given up."""
        self.leaving += more
        self.note(more)

    def forget_if_empty(self, account: Account) -> None:
        """Forget an account that holds nothing."""
        if not account.held and not account.movable and self._accounts.get(account.name) is account:
            del self._accounts[account.name]
            del self._levels[account.level][account]

    def make_room(self, holding: Holding) -> int:
        """Have others give up what is too much; return 0, or why the holding itself is to be refused."""
        if self._is_busy:
            # The last words of somebody who gives up.
            return 0
        self._is_busy = True
        try:
            reason = self._make_room(holding)
        finally:
            self._is_busy = False
        self.refused += bool(reason)
        return reason

    def _make_room(self, holding: Holding) -> int:
        for account in holding.accounts:
            while account.held > self._account_bytes_max:
                victim = self._find_stalled(account, holding)
                if victim is None:
                    return INFLIGHT_SHARE
                self._give_up(victim, INFLIGHT_SHARE)
        while self._is_short():
            victim = self._find_victim(holding)
            if victim is None:
                return INFLIGHT_EXHAUSTED
            self._give_up(victim, INFLIGHT_EXHAUSTED)
        return 0

    def _is_short(self) -> bool:
        small = self._count_connections() * limits.holding_bytes_min
        return self.held - self.leaving + min(small, self._bytes_max // 2) > self._bytes_max

    def _give_up(self, victim: Holding, reason: int) -> None:
        self.given_up += 1
        victim.give_up(reason)

    def _find_victim(self, holding: Holding) -> Holding | None:
        own = max(holding.accounts, key=lambda account: account.held, default=None)
        held, level = (0, 0) if own is None else (own.held, own.level)
        looked = 0
        for heavy in range(_LEVELS - 1, level - 1, -1):
            for account in self._levels[heavy]:
                looked += 1
                if looked > limits.accounts_looked_at_max:
                    break
                # Its first one is what has not grown for longest.
                if account.held > held and account.movable and account not in holding.accounts:
                    return next(iter(account.movable))
        return None if own is None else self._find_stalled(own, holding)

    def _find_stalled(self, account: Account, holding: Holding) -> Holding | None:
        """Return what of an account has not moved for a while: what moves must not be lost to what begins."""
        victim = next(iter(account.movable), None)
        if victim is None or victim is holding or not victim.has_waited(limits.stalled_ms):
            return None
        return victim
