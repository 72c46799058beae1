"""Converts rows of the ledger to domain values, and back."""

from collections.abc import Sequence
from typing import Any

import msgspec

from fastpay.domain.identifiers import Scope, identifier_at, position_of
from fastpay.domain.ledger import Account, is_own
from fastpay.domain.ledger_objects import Ending, LedgerAccount, LedgerTransfer, Phase
from fastpay.domain.plan import Versioned
from fastpay.engine.ledger_ports import Entry
from fastpay.store import rows
from fastpay.store.rows import Row

# A sequence number that no tenant ever reaches.
NOW = 2**62

# The number of each phase in the database. A number is never used again for another phase.
PHASES: dict[Phase, int] = {"posted": 1, "hold": 2, "post": 3, "void": 4, "expire": 5}
_PHASE_OF = {number: phase for phase, number in PHASES.items()}


def wanted(identifiers: Sequence[tuple[Scope, str]]) -> list[list[Any]]:
    """Return the first arguments of `load_ledger_transfers`."""
    positions = [position_of(identifier) for _, identifier in identifiers]
    return [
        [scope.tenant_id for scope, _ in identifiers],
        [scope.livemode for scope, _ in identifiers],
        [sequence for sequence, _ in positions],
        [index for _, index in positions],
    ]


def transfer_id(moment_ms: int, sequence: int, index: int) -> str:
    """Return the identifier of a client's transfer."""
    return identifier_at(LedgerTransfer.prefix, moment_ms, sequence, index)


def transfer(row: Row) -> Versioned:
    """Return a client's transfer. A hold includes how it ended."""
    ending = None
    if row["ending_sequence"] is not None:
        ending_phase = _PHASE_OF[row["ending_phase"]]
        ending = Ending(
            transfer_id(row["ending_ms"], row["ending_sequence"], row["ending_position"]),
            row["ending_sequence"],
            ending_phase,
            row["ending_amount"] if ending_phase == "post" else 0,
        )
    hold = None
    if row["hold_sequence"] is not None:
        hold = transfer_id(row["hold_ms"], row["hold_sequence"], row["hold_position"])
    found = LedgerTransfer(
        id=transfer_id(row["moment_ms"], row["sequence"], row["position"]),
        created=row["moment_ms"] // 1000,
        sequence=row["sequence"],
        phase=_PHASE_OF[row["phase"]],
        debit_account="lacc_" + row["debit_account_id"].hex,
        credit_account="lacc_" + row["credit_account_id"].hex,
        currency=row["currency"],
        amount=row["amount"],
        debits_posted=row["debits_posted"],
        debits_pending=row["debits_pending"],
        credits_posted=row["credits_posted"],
        credits_pending=row["credits_pending"],
        expires_at=row["expires_at"],
        hold=hold,
        metadata={} if row["metadata"] is None else msgspec.json.decode(row["metadata"]),
        ending=ending,
    )
    return Versioned(found, 1, found.sequence) if ending is None else Versioned(found, 2, ending.sequence)


def entry(row: Row, account: Account) -> Entry:
    """Return an entry of an account. A client or a payment made the transfer."""
    after = msgspec.structs.replace(
        account,
        # For the accounts of payments the database adds these up, and returns decimals instead of bigints.
        debits_posted=int(row["debits_posted"]),
        debits_pending=int(row["debits_pending"]),
        credits_posted=int(row["credits_posted"]),
        credits_pending=int(row["credits_pending"]),
    )
    if is_own(account.code):
        moved = "tr_" + row["transfer_id"].hex
        phase, source_id = row["phase"], rows.source_of(row)
    else:
        moved, source_id = transfer_id(row["moment_ms"], row["sequence"], row["position"]), None
        phase = _PHASE_OF[row["phase"]]
    return Entry(
        transfer_id=moved,
        source_id=source_id,
        created=row["moment_ms"] // 1000,
        sequence=row["sequence"],
        side="debit" if row["is_debit"] else "credit",
        phase=phase,
        amount=row["amount"],
        after=after,
    )


def own_account(row: Row) -> Versioned:
    """Return an account that payments move. It has no snapshot, since no client opened it."""
    account = LedgerAccount(
        id="lacc_" + row["account_id"].hex,
        created=0,
        code=row["code"],
        currency=row["currency"],
        normal_side=row["normal_side"],
        min_balance=row["min_balance"],
    )
    assert is_own(account.code)
    return Versioned(account, 1, 0)


def listed_account(row: Row) -> Versioned:
    """Return an account of a list: from its snapshot, or from its row if payments move it."""
    return own_account(row) if row["snapshot"] is None else rows.versioned(row)
