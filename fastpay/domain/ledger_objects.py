"""The objects of clients in the ledger: accounts, transfers between them, and batches of transfers.

Accounts and batches are stored as snapshots, like other objects. A transfer is only a row in its table. The
row never changes: the row of another transfer says that a hold has ended. So a transfer has version 1 and an
ended hold version 2, and neither has a snapshot.
"""

from typing import ClassVar, Literal

import msgspec

from fastpay.domain.objects import StoredObject

# A transfer is posted at once or a hold; the last three end a hold.
Phase = Literal["posted", "hold", "post", "void", "expire"]


class LedgerAccount(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """The part of an account that never changes. `domain/ledger.Account` has its counters.

    `created` is 0 for the accounts that payments move, which are opened on first use.
    """

    prefix: ClassVar[str] = "lacc"
    noun: ClassVar[str] = "ledger account"

    code: str
    currency: str
    normal_side: str
    min_balance: int | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


class Ending(msgspec.Struct, frozen=True, gc=False):
    """How a hold ended: the transfer that ended it, its sequence number and the amount that it posted."""

    transfer_id: str
    sequence: int
    phase: Phase
    amount_posted: int


class LedgerTransfer(StoredObject, frozen=True, gc=False, kw_only=True):
    """A move or a hold of `amount` from the debit account to the credit account.

    `hold` is the hold that a "post", "void" or "expire" ends. The four counters are the debits of the debit
    account and the credits of the credit account after this transfer.
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
    """The outcome of a batch of transfers.

    `failures` has the sorted indexes of failed items by error code; all other items succeeded. The
    identifiers of their transfers follow from the batch's time, the sequence and the index, so they are not
    stored here.
    """

    prefix: ClassVar[str] = "lbat"
    noun: ClassVar[str] = "ledger batch"

    sequence: int
    count: int
    dry_run: bool = False
    failures: dict[str, tuple[int, ...]] = msgspec.field(default_factory=dict)
