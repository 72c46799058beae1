"""The ledger in the shape that clients see, and the books held against themselves."""

import functools

import msgspec

from fastpay import limits
from fastpay.api.rendering.layout import Choice, Field, Mode, Part, When, template
from fastpay.domain.identifiers import PLACES, digits, moment_of, placed
from fastpay.domain.ledger import Account
from fastpay.domain.ledger_objects import Ending, LedgerAccount, LedgerBatch, LedgerTransfer
from fastpay.engine.ledger_ports import Entry
from fastpay.engine.ports import TrialBalance, Verification

# The identifiers of a batch's transfers differ in so many digits at most, which begin in one of a few ways.
_LAST_DIGITS = 4
_BEGINNINGS = 0x1_0000 // PLACES
_SIDES = {"D": "debit", "C": "credit"}
# By phase: the type of a transfer, and its status.
_TYPES = {"posted": "transfer", "hold": "hold", "post": "post", "void": "void", "expire": "expiry"}
_STATUSES = {"posted": "posted", "hold": "held", "post": "posted", "void": "voided", "expire": "expired"}

LEDGER_TRANSFER = template(
    LedgerTransfer,
    {
        "id": Field("id"),
        "object": "ledger_transfer",
        "amount": Field("amount"),
        # Of a hold, what the transfer that ended it moved.
        "amount_posted": When(
            "ending",
            Part("ending", Ending, Field("amount_posted")),
            otherwise=When(
                "phase",
                Field("amount"),
                equals="posted",
                otherwise=When("phase", Field("amount"), equals="post", otherwise=0),
            ),
        ),
        "created": Field("created"),
        "credit_account": Field("credit_account"),
        "currency": Field("currency"),
        "debit_account": Field("debit_account"),
        "ended_by": Part("ending", Ending, Field("transfer_id")),
        "expires_at": Field("expires_at"),
        "hold": Field("hold"),
        "livemode": Mode(),
        "metadata": Field("metadata"),
        "sequence": Field("sequence"),
        "status": When(
            "ending",
            Part("ending", Ending, Choice("phase", _STATUSES)),
            otherwise=Choice("phase", _STATUSES),
        ),
        "type": Choice("phase", _TYPES),
    },
)


def render_from_ledger(stored: LedgerAccount | LedgerBatch, livemode: bool) -> dict[str, object]:
    """Return what clients keep in the ledger beside transfers."""
    if isinstance(stored, LedgerAccount):
        return _account(stored, livemode)
    return _batch(stored, livemode)


def render_entry(entry: Entry, livemode: bool) -> dict[str, object]:
    """Return one side of a transfer, with what the account held after it."""
    return {
        "id": "lent_" + digits(entry.transfer_id),
        "object": "ledger_entry",
        "account": entry.after.id,
        "amount": entry.amount,
        "available": entry.after.available,
        "balance": entry.after.balance,
        "created": entry.created,
        "currency": entry.after.currency,
        "livemode": livemode,
        "sequence": entry.sequence,
        "side": entry.side,
        "source": entry.source_id,
        "transfer": entry.transfer_id,
        "type": _TYPES[entry.phase],
    }


def _account(account: LedgerAccount, livemode: bool) -> dict[str, object]:
    """Return what does not change of an account; its balance is named, and can be expanded."""
    return {
        "id": account.id,
        "object": "ledger_account",
        "balance": "lbal_" + digits(account.id),
        "code": account.code,
        "created": account.created or None,
        "currency": account.currency,
        "livemode": livemode,
        "metadata": account.metadata,
        "min_balance": account.min_balance,
        "normal_side": _SIDES[account.normal_side],
    }


def render_ledger_balance(account: Account, sequence: int | None, livemode: bool) -> dict[str, object]:
    """Return what an account holds; `sequence` says as of which place, None now."""
    return {
        "id": "lbal_" + digits(account.id),
        "object": "ledger_balance",
        "account": account.id,
        "amount": account.balance,
        "available": account.available,
        "credits_pending": account.credits_pending,
        "credits_posted": account.credits_posted,
        "currency": account.currency,
        "debits_pending": account.debits_pending,
        "debits_posted": account.debits_posted,
        "livemode": livemode,
        "sequence": sequence,
    }


def _batch(batch: LedgerBatch, livemode: bool) -> dict[str, object]:
    """Return what became of each transfer of a batch, in the order they were given."""
    failed = sum(map(len, batch.failures.values()))
    return {
        "id": batch.id,
        "object": "ledger_batch",
        "created": batch.created,
        "dry_run": batch.dry_run,
        "failed": failed,
        "livemode": livemode,
        "results": _results(batch),
        "sequence": None if batch.dry_run else batch.sequence,
        "succeeded": batch.count - failed,
    }


def _results(batch: LedgerBatch) -> msgspec.Raw:
    """Return the results as JSON: as dicts, thousands of them would cost what all else about them costs."""
    if batch.dry_run:
        results = ['{"code":null,"id":null}'] * batch.count
    else:
        first = placed("ltr", moment_of(batch.id), batch.sequence, 0)
        before, after = f'{{"code":null,"id":"{first[:-_LAST_DIGITS]}', '"}'
        counted = _counted(int(first[-_LAST_DIGITS:], 16))[: batch.count]
        if not batch.failures:
            # All that there is between the last digits of two identifiers is always the same.
            return msgspec.Raw(f"[{before}{f'{after},{before}'.join(counted)}{after}]".encode())
        results = [f"{before}{digits}{after}" for digits in counted]
    for code, places in batch.failures.items():
        for place in places:
            results[place] = f'{{"code":"{code}","id":null}}'
    return msgspec.Raw(f"[{','.join(results)}]".encode())


@functools.lru_cache(maxsize=_BEGINNINGS)
def _counted(first: int) -> list[str]:
    """Return the last digits of the identifiers of a batch, of which the first is given: they count up."""
    return [f"{first + place:0{_LAST_DIGITS}x}" for place in range(limits.ledger_batch_transfers_max)]


def render_verification(verification: Verification, livemode: bool) -> dict[str, object]:
    """Return what a verification found; `ok` says that it found nothing to complain of."""
    return {
        "object": "ledger_verification",
        "balances": [_balance(balance) for balance in verification.balances],
        "livemode": livemode,
        "ok": not verification.problems,
        "problems": list(verification.problems),
    }


def _balance(balance: TrialBalance) -> dict[str, object]:
    return {
        "currency": balance.currency,
        "debits_posted": balance.debits_posted,
        "credits_posted": balance.credits_posted,
        "debits_pending": balance.debits_pending,
        "credits_pending": balance.credits_pending,
        "difference": balance.debits_posted - balance.credits_posted,
    }
