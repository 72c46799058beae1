"""The rules for batches of transfers with a counter an account: plain, and fast enough for whole batches.

Unlike `tests.reference.ledger` it adds nothing up. A chain that breaks leaves what was copied before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.reference.ledger import Account, Item, refuse


@dataclass
class Counters:
    """Accounts, and for each: debits and credits posted, then debits and credits pending."""

    accounts: list[Account]
    held: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.held = [[0, 0, 0, 0] for _ in self.accounts]

    def batch(self, items: Sequence[Item], now: int) -> list[str | None]:
        """Make the transfers of a batch; return the code of each that cannot be made."""
        codes: list[str | None] = []
        for chain in _chains(items):
            before = [counters[:] for counters in self.held]
            found: list[str | None] = []
            for item in chain:
                found.append(self._transfer(item, now))
                if found[-1] is not None:
                    break
            is_open = chain[-1].linked
            if found[-1] is None and not is_open:
                codes += found
                continue
            self.held = before
            broken: list[str | None] = ["linked_chain_failed"] * len(chain)
            if found[-1] is not None:
                broken[len(found) - 1] = found[-1]
            if is_open:
                broken[-1] = "linked_chain_open"
            codes += broken
        return codes

    def _transfer(self, item: Item, now: int) -> str | None:
        refusal = refuse(self.accounts, item, now)
        if refusal is not None:
            return refusal
        kind = 2 if item.hold else 0
        self.held[item.debit][kind] += item.amount
        self.held[item.credit][kind + 1] += item.amount
        if self._is_within_bound(item.debit) and self._is_within_bound(item.credit):
            return None
        self.held[item.debit][kind] -= item.amount
        self.held[item.credit][kind + 1] -= item.amount
        return "insufficient_funds"

    def _is_within_bound(self, number: int) -> bool:
        account = self.accounts[number]
        debits, credits_, debits_pending, credits_pending = self.held[number]
        available = credits_ - debits - debits_pending
        if account.side == "D":
            available = debits - credits_ - credits_pending
        return account.least is None or available >= account.least


def _chains(items: Sequence[Item]) -> list[list[Item]]:
    chains: list[list[Item]] = [[]]
    for item in items:
        chains[-1].append(item)
        if not item.linked:
            chains.append([])
    return [chain for chain in chains if chain]
