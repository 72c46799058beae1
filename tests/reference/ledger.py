"""The ledger's rules slowly and plainly: all that was done is kept, and balances are added up anew."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastpay import limits


@dataclass
class Account:
    """An account, and the least that it may hold."""

    currency: str
    side: str
    least: int | None
    is_reserved: bool = False


@dataclass
class Move:
    """A transfer or a hold; `open` says that it reserves and was not ended."""

    debit: int
    credit: int
    amount: int
    open: bool
    posted: int
    expires_at: int | None = None


@dataclass(frozen=True)
class Item:
    """What is asked of a batch, or of a single transfer; accounts by number, unknown ones have none."""

    debit: int
    credit: int
    amount: int
    hold: bool = False
    expires_at: int | None = None
    linked: bool = False


def refuse(accounts: Sequence[Account], item: Item, now: int) -> str | None:
    """Return the code of why a transfer cannot be made whatever the accounts hold, None where it may."""
    if not (item.debit < len(accounts) and item.credit < len(accounts)):
        return "resource_missing"
    if item.debit == item.credit:
        return "ledger_accounts_equal"
    debit, credit = accounts[item.debit], accounts[item.credit]
    if debit.is_reserved or credit.is_reserved:
        return "ledger_account_reserved"
    if debit.currency != credit.currency:
        return "currency_mismatch"
    if item.expires_at is not None and item.expires_at <= now:
        return "expires_at_past"
    return None


@dataclass
class Ledger:
    """All accounts and all that moved them."""

    accounts: list[Account] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    def counters(self, account: int) -> tuple[int, int, int, int]:
        """Return debits and credits posted, then debits and credits pending."""
        debited = [move for move in self.moves if move.debit == account]
        credited = [move for move in self.moves if move.credit == account]
        return (
            sum(move.posted for move in debited),
            sum(move.posted for move in credited),
            sum(move.amount for move in debited if move.open),
            sum(move.amount for move in credited if move.open),
        )

    def _counted(self, account: int) -> tuple[int, int]:
        """Return all debits and all credits of an account, with what is reserved."""
        debited, credited, debits_pending, credits_pending = self.counters(account)
        return debited + debits_pending, credited + credits_pending

    def available(self, account: int) -> int:
        """Return the balance on the account's side without what is reserved on the way out."""
        debited, credited, debits_pending, credits_pending = self.counters(account)
        if self.accounts[account].side == "C":
            return credited - debited - debits_pending
        return debited - credited - credits_pending

    def is_within_bounds(self) -> bool:
        """Tell whether every account holds what it must."""
        return all(map(self._holds_enough, range(len(self.accounts))))

    def _holds_enough(self, account: int) -> bool:
        least = self.accounts[account].least
        return least is None or self.available(account) >= least

    def transfer(self, item: Item, now: int) -> str | None:
        """Make a transfer or a hold; return the code of why it cannot be made."""
        refusal = refuse(self.accounts, item, now)
        if refusal is not None:
            return refusal
        posted = 0 if item.hold else item.amount
        self.moves.append(Move(item.debit, item.credit, item.amount, item.hold, posted, item.expires_at))
        for account, side in ((item.debit, 0), (item.credit, 1)):
            code = None
            if self._counted(account)[side] > limits.ledger_counter_max:
                code = "ledger_account_full"
            elif not self._holds_enough(account):
                code = "insufficient_funds"
            if code is not None:
                self.moves.pop()
                return code
        return None

    def end(self, hold: int, amount: int | None, now: int) -> str | None:
        """Post `amount` of a hold, or void it where that is 0; return the code of why that cannot be."""
        move = self.moves[hold]
        wanted = move.amount if amount is None else amount
        if not move.open:
            return "ended"
        if wanted > move.amount:
            return "amount_too_large"
        if move.expires_at is not None and move.expires_at <= now:
            move.open = False
            return "hold_expired"
        move.open, move.posted = False, wanted
        return None

    def expire(self, now: int) -> None:
        """End every hold whose time has come."""
        for move in self.moves:
            if move.open and move.expires_at is not None and move.expires_at <= now:
                move.open = False

    def batch(self, items: list[Item], now: int) -> list[str | None]:
        """Make the transfers of a batch, chain by chain; return the code of each that cannot be made."""
        codes: list[str | None] = []
        while len(codes) < len(items):
            chain = [items[len(codes)]]
            while chain[-1].linked and len(codes) + len(chain) < len(items):
                chain.append(items[len(codes) + len(chain)])
            codes += self._chain(chain, now)
        return codes

    def _chain(self, chain: list[Item], now: int) -> list[str | None]:
        before = self.moves[:]
        for place, item in enumerate(chain):
            # Only the last link of a chain that the batch leaves open is linked to nothing.
            is_open = item.linked and place == len(chain) - 1
            code = "linked_chain_open" if is_open else self.transfer(item, now)
            if code is not None:
                self.moves = before
                codes: list[str | None] = ["linked_chain_failed"] * len(chain)
                codes[place] = code
                # Where it ends is wrong whatever came before.
                if chain[-1].linked:
                    codes[-1] = "linked_chain_open"
                return codes
        return [None] * len(chain)
