"""Rows of settlement files: what a processor says that it has paid out, or kept, for each payment."""

import datetime as dt
import hashlib
from typing import Literal

import msgspec

from fastpay.domain.identifiers import lower_bound

RowType = Literal["payment", "refund", "fee", "other"]
# What became of a row. A row that is `missing_there` or `pending` may be in no file.
RowStatus = Literal["matched", "amount_differs", "missing_here", "missing_there", "duplicate", "pending"]


class SettlementRow(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One row of a file, in the currency's smallest unit: `gross` is `fee` and `net` together.

    `reference` is ours, `processor_id` theirs. Payments are positive, refunds negative.
    """

    line: int
    type: RowType
    currency: str
    gross: int
    fee: int
    net: int
    value_date: dt.date
    reference: str | None = None
    processor_id: str | None = None

    def identity(self, processor: str, occurrence: int) -> bytes:
        """Return what the same row has in another file that overlaps this one.

        `occurrence` counts rows of one file that say the same: these are two rows, of which one may be a
        duplicate.
        """
        said = (
            *(processor, self.type, self.currency, self.gross, self.fee, self.net, self.value_date),
            *(self.reference, self.processor_id, occurrence),
        )
        return hashlib.blake2b(msgspec.msgpack.encode(said), digest_size=16).digest()


def start_of(day: dt.date) -> str:
    """Return the smallest digits of what was made on a day (UTC) or later."""
    return lower_bound((day - dt.date(1970, 1, 1)).days * 24 * 3600)
