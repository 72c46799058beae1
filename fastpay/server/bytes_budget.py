"""One budget for all bytes in flight: unanswered requests and unread responses.

The owner of such bytes opens a holding and reports their number when it changes. A holding is charged to
two accounts: the client's address, and the API key once it is known.

    movable    the client has to act (send the rest of a body, read a response): the holding can be given up
    pinned     a handler is running: the holding is counted, but never refused or given up, because a request
               that is told to retry must not have been served
    given up   its owner was told to end it, and its bytes are about to be freed

When the budget is short, the account with the most gives up first, and within an account the holding that
has not grown for longest. Accounts are kept in levels by powers of two, so the heaviest one is found to
within a factor of two in constant time. If no other account holds more than the requester's, the requester
is refused.

Every open connection counts as `holding_bytes_min`, and a request or response up to that size opens no
holding. So small ones, which are nearly all, cost one comparison. Together connections count for at most
half of the budget.
"""

from collections.abc import Callable, Hashable

from fastpay import limits
from fastpay._native.service import INFLIGHT_EXHAUSTED, INFLIGHT_SHARE
from fastpay.server.freed_memory import FreedMemory

_LEVELS = 64


class Account:
    """The bytes that one address or key holds."""

    __slots__ = ("held", "level", "movable", "name")

    def __init__(self, name: Hashable) -> None:
        self.name = name
        self.held = 0
        self.level = 0
        # Ordered by when they last grew, oldest first.
        self.movable: dict[Holding, None] = {}


class Holding:
    """Bytes of one request or response; its owner releases it when they are freed."""

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
        """Charge another account as well, unless it is charged already."""
        if self._is_open and all(account.name != name for account in self._accounts):
            account = self._budget.account(name)
            self._accounts.append(account)
            self._budget.add(account, self.size)
            if self._is_movable:
                account.movable[self] = None

    def resize(self, size: int) -> int:
        """Set the number of bytes; return 0, or the reason to refuse and release them."""
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
            # These bytes are about to be freed. Requests in the same turn of the loop must not be refused
            # because of them.
            self._leave()
        return reason

    def count(self, size: int) -> None:
        """Set the number of bytes of a request that can no longer be refused."""
        more = size - self.size
        self.size = size
        if not self._is_open:
            self._budget.note_leaving(more)
            return
        for account in self._accounts:
            self._budget.add(account, more)
        self._budget.note(more)

    def pin(self) -> None:
        """Protect the bytes from being given up while a handler runs."""
        if self._is_movable and self._is_open:
            for account in self._accounts:
                del account.movable[self]
        self._is_movable = False

    def unpin(self) -> None:
        """Let the bytes be given up again, because the client has to act."""
        if not self._is_movable and self._is_open:
            self._is_movable = True
            for account in self._accounts:
                account.movable[self] = None

    def release(self) -> None:
        """Report that the bytes are freed."""
        self.resize(0)
        self._close()

    def give_up(self, reason: int) -> None:
        """Tell the owner to end, and count its bytes as leaving until they are released."""
        tell = self._give_up
        self._leave()
        assert tell is not None
        tell(reason)

    def has_waited(self, milliseconds: int) -> bool:
        """Return whether the holding has not grown for this long."""
        return self._budget.now_ns() - self._grown_ns >= milliseconds * 1_000_000

    @property
    def accounts(self) -> list[Account]:
        """The accounts that are charged."""
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
    """Counts the bytes in flight of one process and keeps them within a bound, fairly between accounts."""

    def __init__(
        self, bytes_max: int, *, count_connections: Callable[[], int], now_ns: Callable[[], int]
    ) -> None:
        self._bytes_max = bytes_max
        self._account_bytes_max = bytes_max * 3 // 4
        self._count_connections = count_connections
        self.now_ns = now_ns
        # All bytes held, and the part of them that was given up but is not freed yet.
        self.held = 0
        self.leaving = 0
        self.refused = 0
        self.given_up = 0
        self.accounts: dict[Hashable, Account] = {}
        self._levels: list[dict[Account, None]] = [{} for _ in range(_LEVELS)]
        self._is_busy = False
        self._freed = FreedMemory(now_ns)

    def open(self, give_up: Callable[[int], object], names: tuple[Hashable, ...]) -> Holding:
        """Return a holding of no bytes, charged to these accounts.

        `give_up(reason)` is called at most once. It must end the request or response, which then releases
        the holding.
        """
        holding = Holding(self, give_up)
        for name in names:
            holding.charge_to(name)
        return holding

    def tick(self) -> None:
        """Return freed memory to the system after a surge; called a few times a second."""
        self._freed.give_back(self.held)

    # Called by holdings.

    def account(self, name: Hashable) -> Account:
        """Return the account of this name, and create it if needed."""
        account = self.accounts.get(name)
        if account is None:
            account = self.accounts[name] = Account(name)
            self._levels[0][account] = None
        return account

    def add(self, account: Account, more: int) -> None:
        """Change the bytes of an account, and move it to its level."""
        account.held += more
        level = account.held.bit_length()
        if level != account.level:
            del self._levels[account.level][account]
            self._levels[level][account] = None
            account.level = level

    def note(self, more: int) -> None:
        """Change the total."""
        self.held += more

    def note_leaving(self, more: int) -> None:
        """Change the total, and the part of it that was given up."""
        self.leaving += more
        self.note(more)

    def forget_if_empty(self, account: Account) -> None:
        """Remove an account without bytes."""
        if not account.held and not account.movable and self.accounts.get(account.name) is account:
            del self.accounts[account.name]
            del self._levels[account.level][account]

    def make_room(self, holding: Holding) -> int:
        """Make other holdings give up until the budget suffices; return 0, or the reason to refuse this."""
        if self._is_busy:
            # A holding that gives up grows by its error response. That must not give up others in turn.
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
                # The first movable holding is the one that has not grown for longest.
                if account.held > held and account.movable and account not in holding.accounts:
                    return next(iter(account.movable))
        return None if own is None else self._find_stalled(own, holding)

    def _find_stalled(self, account: Account, holding: Holding) -> Holding | None:
        """Return an account's holding that has not moved for a while, if there is one.

        Moving bytes must not be lost to new ones.
        """
        victim = next(iter(account.movable), None)
        if victim is None or victim is holding or not victim.has_waited(limits.stalled_ms):
            return None
        return victim
