"""The balance transactions that an automatic payout pays out.

The payout says which: captures up to a watermark that were released since the payout before, refunds of
these, and what changed the available balance at once between two numbers of the sequence. Their sum is the
payout's amount.
"""

from collections.abc import Sequence

from fastpay import limits
from fastpay.api.resource import Snapshot
from fastpay.domain import ledger
from fastpay.domain.identifiers import HIGHEST, digits, lower_bound
from fastpay.domain.ledger import Transfer
from fastpay.domain.objects import Charge, Refund
from fastpay.domain.payouts import Payout
from fastpay.engine.ledger_ports import PaidOut
from fastpay.engine.ports import Page
from fastpay.errors import InvalidRequest

_Row = tuple[Transfer, int]


class PayoutTransactions:
    """The transfers behind the balance transactions of one automatic payout. `kinds` are those to show."""

    def __init__(self, snapshot: Snapshot, payout: Payout, kinds: Sequence[str]) -> None:
        self._snapshot = snapshot
        self._payout = payout
        self._kinds = kinds
        self._pending = ledger.account_id(snapshot.scope, payout.currency, "pending")

    async def read(self, page: Page) -> Sequence[_Row]:
        """Return up to `page.limit` + 1 transfers with their moments, newest first.

        Raises: InvalidRequest if too many transfers must be examined for the page.
        """
        payout = self._payout
        paid_out = PaidOut(
            payout=payout.id,
            currency=payout.currency,
            pending=self._pending,
            released_after=payout.released_after,
            released_through=payout.released_through,
            sequence_after=payout.sequence_after,
            sequence_through=payout.sequence_through,
        )
        latest = lower_bound(payout.created + limits.creation_ms_max // 1000)
        below, above = min(page.below, latest), max(page.above, payout.released_after)
        found: list[_Row] = []
        for _ in range(limits.payout_pages_max):
            part = Page(limit=limits.payout_page_rows, below=below, above=above, ascending=page.ascending)
            rows = await self._snapshot.ledger.payout_transfers(
                self._snapshot.scope, paid_out, part, self._kinds
            )
            chosen = await self._choose(rows)
            found = [*chosen, *found] if page.ascending else [*found, *chosen]
            if len(found) > page.limit or len(rows) <= part.limit:
                return found[-page.limit - 1 :] if page.ascending else found[: page.limit + 1]
            if page.ascending:
                above = digits(rows[0][0].id)
            else:
                below = digits(rows[-1][0].id)
        raise InvalidRequest(
            "Too many balance transactions must be examined for this page. Narrow it by type or created.",
            param="payout",
        )

    async def _choose(self, rows: Sequence[tuple[Transfer, int, int]]) -> list[_Row]:
        """Return the rows that the payout pays out. Whether a charge was available at once only it says."""
        sources = await self._snapshot.load(list({transfer.source_id for transfer, _, _ in rows}))
        owners = {
            versioned.object.charge for versioned in sources.values() if isinstance(versioned.object, Refund)
        }
        charges = await self._snapshot.load(list(owners))
        chosen = []
        for transfer, moment_ms, sequence in rows:
            source = sources[transfer.source_id].object if transfer.source_id in sources else None
            if isinstance(source, Charge):
                is_paid = (
                    self._is_within(sequence) if source.funds_available else self._is_released(transfer.id)
                )
            elif isinstance(source, Refund) and self._pending in {
                transfer.debit_account_id,
                transfer.credit_account_id,
            }:
                charge = charges[source.charge].object
                is_paid = isinstance(charge, Charge) and self._is_released(
                    charge.balance_transaction or HIGHEST
                )
            elif isinstance(source, Payout) and source.automatic and transfer.kind == "payout":
                # The one before took all that was there: it is not paid out again.
                is_paid = source.id == self._payout.id
            else:
                is_paid = self._is_within(sequence)
            if is_paid:
                chosen.append((transfer, moment_ms))
        return chosen

    def _is_within(self, sequence: int) -> bool:
        return self._payout.sequence_after < sequence <= self._payout.sequence_through

    def _is_released(self, capture: str) -> bool:
        return self._payout.released_after < digits(capture) <= self._payout.released_through
