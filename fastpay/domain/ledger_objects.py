"""What clients keep in the ledger: accounts of their own, transfers between them, and batches of transfers.

An account and a batch are stored as snapshots, like every other object. A transfer is a row of its table and
nothing else: it never changes, and that a hold was ended is told by the row that ended it. So a transfer has
version 1, and an ended hold version 2, without a snapshot of either.
"""

from typing import ClassVar, Literal

import msgspec

from fastpay.domain.objects import StoredObject

# Posted at once; reserved; a hold posted, given back, or given back by time.
Phase = Literal["posted", "hold", "post", "void", "expire"]


class LedgerAccount(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """What does not change of an account: its counters are in its row (`domain/ledger.Account`).

    `created` is 0 for the accounts that payments move, which open by themselves.
    """

    prefix: ClassVar[str] = "lacc"
    noun: ClassVar[str] = "ledger account"

    code: str
    currency: str
    normal_side: str
    min_balance: int | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


class Ending(msgspec.Struct, frozen=True, gc=False):
    """How a hold ended: by which transfer, at which place in the sequence, and how much of it was posted."""

    transfer_id: str
    sequence: int
    phase: Phase
    amount_posted: int


class LedgerTransfer(StoredObject, frozen=True, gc=False, kw_only=True):
    """A move, or a hold, of `amount` from the debit account to the credit account.

    `hold` names the hold that a "post", "void" or "expire" ends. The four counters are those that the
    transfer moved, as they stood after it: the debit account's debits and the credit account's credits.
    """

    prefix: ClassVar[str] = "ltr"
    noun: ClassVar[str] = "ledger transfer"

    sequence: int
    phase: Phase
    debit_account: str
    credit_account: str
    currency: str
    amount: int
    debits_posted: int
    debits_pending: int
    credits_posted: int
    credits_pending: int
    expires_at: int | None = None
    hold: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    ending: Ending | None = None


class LedgerBatch(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """What became of a batch of transfers: all were made but those at the places in `failures`.

    `failures` has the places, in order, by error code. The identifiers of the others follow from its own, the
    sequence and their place, so that they are not kept a second time.
    """

    prefix: ClassVar[str] = "lbat"
    noun: ClassVar[str] = "ledger batch"

    sequence: int
    count: int
    dry_run: bool = False
    failures: dict[str, tuple[int, ...]] = msgspec.field(default_factory=dict)
