"""The balance transactions that an automatic payout pays out.

The payout says which: captures up to a watermark that were released since the payout before, refunds of
these, and what changed the available balance at once between two numbers of the sequence. Their sum is the
payout's amount.
"""

from collections.abc import Callable, Sequence

import msgspec

from fastpay import limits
from fastpay.api.chosen_transfers import Shown, read_chosen
from fastpay.api.resource import Snapshot
from fastpay.domain import ledger
from fastpay.domain.application_fees import ApplicationFee, FeeRefund
from fastpay.domain.identifiers import HIGHEST, digits, lower_bound
from fastpay.domain.ledger import Transfer
from fastpay.domain.objects import Charge, Refund, StoredObject
from fastpay.domain.payouts import Payout
from fastpay.domain.transfers import AccountTransfer, TransferReversal
from fastpay.engine.ledger_ports import PaidOut
from fastpay.engine.ports import Page

_Row = tuple[Transfer, int, int]
# A reversal is of a transfer, which is of a charge.
_STEPS_TO_CHARGE = 2


class PayoutTransactions:
    """The transfers behind the balance transactions of one automatic payout.

    `kinds` are those to show, if `is_shown` says so of a transfer and the object that it belongs to.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        payout: Payout,
        kinds: Sequence[str],
        is_shown: Callable[[Transfer, StoredObject | None], bool],
    ) -> None:
        self._snapshot = snapshot
        self._payout = payout
        self._kinds = kinds
        self._is_shown = is_shown
        self._pending = ledger.account_id(snapshot.scope, payout.currency, "pending")

    async def read(self, page: Page) -> Sequence[Shown]:
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
        within = msgspec.structs.replace(
            page, below=min(page.below, latest), above=max(page.above, payout.released_after)
        )

        async def read(part: Page) -> Sequence[_Row]:
            snapshot = self._snapshot
            return await snapshot.ledger.payout_transfers(snapshot.scope, paid_out, part, self._kinds)

        return await read_chosen(within, read, self._choose, rows_first=limits.examined_rows, param="payout")

    async def _choose(self, rows: Sequence[_Row]) -> list[Shown]:
        """Return the rows that the payout pays out. Whether a charge was available at once only it says."""
        sources = await self._snapshot.load(list({transfer.source_id for transfer, _, _ in rows}))
        charges = await self._charges({name: versioned.object for name, versioned in sources.items()})
        chosen = []
        for transfer, moment_ms, sequence in rows:
            source = sources[transfer.source_id].object if transfer.source_id in sources else None
            if isinstance(source, Charge):
                is_paid = (
                    self._is_within(sequence) if source.funds_available else self._is_released(transfer.id)
                )
            elif self._pending in {transfer.debit_account_id, transfer.credit_account_id}:
                charge = charges.get(transfer.source_id)
                is_paid = charge is not None and self._is_released(_capture_of(charge, transfer.source_id))
            elif isinstance(source, Payout) and source.automatic and transfer.kind == "payout":
                # The one before took all that was there: it is not paid out again.
                is_paid = source.id == self._payout.id
            else:
                is_paid = self._is_within(sequence)
            if is_paid and self._is_shown(transfer, source):
                chosen.append((transfer, moment_ms))
        return chosen

    async def _charges(self, found: dict[str, StoredObject]) -> dict[str, Charge]:
        """Return the charge that each object is about, by the object's identifier. Adds to `found`."""
        sources = list(found)
        for _ in range(_STEPS_TO_CHARGE):
            missing = {
                above for stored in found.values() if (above := _above(stored)) is not None
            } - found.keys()
            loaded = await self._snapshot.load(list(missing))
            found |= {name: versioned.object for name, versioned in loaded.items()}
        charges = {}
        for name in sources:
            stored: StoredObject | None = found[name]
            while stored is not None and not isinstance(stored, Charge):
                stored = found.get(_above(stored) or "")
            if stored is not None:
                charges[name] = stored
        return charges

    def _is_within(self, sequence: int) -> bool:
        return self._payout.sequence_after < sequence <= self._payout.sequence_through

    def _is_released(self, capture: str) -> bool:
        return self._payout.released_after < digits(capture) <= self._payout.released_through


def _above(stored: StoredObject) -> str | None:
    """Return the identifier of what an object is about: a charge, or what leads to one."""
    match stored:
        case Refund() | ApplicationFee():
            return stored.charge
        case AccountTransfer():
            return stored.source_transaction
        case TransferReversal():
            return stored.transfer
        case FeeRefund():
            return stored.fee
    return None


def _capture_of(charge: Charge, source: str) -> str:
    """Return the balance transaction of the capture whose money an object moved."""
    for one in () if charge.extras is None else charge.extras.captures:
        if source in {one.transfer, one.application_fee}:
            return one.balance_transaction
    return charge.balance_transaction or HIGHEST
