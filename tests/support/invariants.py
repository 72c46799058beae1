"""What must hold of a tenant's books whatever happened, told from what was written down."""

from collections.abc import Iterable, Sequence

from fastpay.domain import ledger
from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.objects import Charge, PaymentIntent, Refund
from fastpay.domain.plan import Event, Versioned

COUNTERS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")


def check_all(
    scope: Scope,
    *,
    accounts: Iterable[Account],
    transfers: Sequence[Transfer],
    events: Sequence[Event],
    versions: Sequence[Versioned],
    sequence: int,
) -> None:
    """Hold everything against everything else."""
    accounts = list(accounts)
    check_accounts(accounts)
    check_replay(scope, accounts, transfers)
    check_numbers(events, versions, sequence)
    latest = {versioned.object.id: versioned for versioned in versions}
    check_payments([versioned.object for versioned in latest.values()], transfers)


def check_accounts(accounts: Sequence[Account]) -> None:
    """Debits equal credits in each currency, and no counter is below zero."""
    for account in accounts:
        assert all(getattr(account, counter) >= 0 for counter in COUNTERS), account
    for currency in {account.currency for account in accounts}:
        own = [account for account in accounts if account.currency == currency]
        assert sum(account.debits_posted - account.credits_posted for account in own) == 0
        assert sum(account.debits_pending - account.credits_pending for account in own) == 0


def check_replay(scope: Scope, accounts: Sequence[Account], transfers: Sequence[Transfer]) -> None:
    """The transfers, played from the first, give the counters that the accounts have."""
    holds = {transfer.id: transfer for transfer in transfers if transfer.phase == "hold"}
    counted = {account.id: dict.fromkeys(COUNTERS, 0) for account in accounts}
    ended: set[str] = set()
    for transfer in transfers:
        pending = 0
        if transfer.phase == "hold":
            pending = transfer.amount
        elif transfer.hold_id is not None:
            assert transfer.hold_id not in ended
            ended.add(transfer.hold_id)
            pending = -holds[transfer.hold_id].amount
            assert transfer.amount <= holds[transfer.hold_id].amount
        posted = transfer.amount if transfer.phase in ("posted", "post") else 0
        counted[transfer.debit_account_id]["debits_posted"] += posted
        counted[transfer.debit_account_id]["debits_pending"] += pending
        counted[transfer.credit_account_id]["credits_posted"] += posted
        counted[transfer.credit_account_id]["credits_pending"] += pending
    for account in accounts:
        assert account.id == ledger.account_id(scope, account.currency, account.code)
        assert {counter: getattr(account, counter) for counter in COUNTERS} == counted[account.id]


def check_numbers(events: Sequence[Event], versions: Sequence[Versioned], sequence: int) -> None:
    """Events are numbered from one without a gap, and so are the versions of each object."""
    assert [event.sequence for event in events] == list(range(1, sequence + 1))
    known: dict[str, Versioned] = {}
    for versioned in versions:
        before = known.get(versioned.object.id)
        assert versioned.version == (1 if before is None else before.version + 1)
        assert 1 <= versioned.sequence <= sequence
        assert before is None or before.sequence < versioned.sequence
        known[versioned.object.id] = versioned
    written = {(versioned.object.id, versioned.version) for versioned in versions}
    assert written >= {(event.object_id, event.version) for event in events}


def check_payments(objects: Sequence[object], transfers: Sequence[Transfer]) -> None:
    """Payments say what the ledger says, and never more than they may."""
    by_source: dict[tuple[str, str], int] = {}
    for transfer in transfers:
        if transfer.phase in ("posted", "post"):
            place = (digits(transfer.source_id), transfer.kind)
            by_source[place] = by_source.get(place, 0) + transfer.amount
    charges = [stored for stored in objects if isinstance(stored, Charge)]
    refunds = [stored for stored in objects if isinstance(stored, Refund)]
    for charge in charges:
        assert 0 <= charge.amount_refunded <= charge.amount_captured <= charge.amount
        assert charge.captured == (charge.amount_captured > 0)
        assert charge.amount_captured == by_source.get((digits(charge.id), "capture"), 0)
        assert charge.fee == by_source.get((digits(charge.id), "fee"), 0)
        assert charge.amount_refunded == sum(
            refund.amount for refund in refunds if refund.charge == charge.id
        )
    for refund in refunds:
        assert refund.amount == by_source[digits(refund.id), "refund"]
    for intent in objects:
        if isinstance(intent, PaymentIntent):
            own = [charge for charge in charges if charge.payment_intent == intent.id]
            assert intent.amount_received == sum(charge.amount_captured for charge in own)
            assert sum(charge.status == "succeeded" for charge in own) <= 1
            assert (intent.status == "requires_capture") == (intent.amount_capturable > 0)
