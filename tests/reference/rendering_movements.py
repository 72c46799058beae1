"""What moves money rendered slowly and plainly, for `tests/reference/rendering`."""

import msgspec

from fastpay.api.resources.events import RecordedEvent
from fastpay.domain.identifiers import digits
from fastpay.domain.ledger import Transfer
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.domain.objects import Charge, Refund

_STATUSES = {"posted": "posted", "hold": "held", "post": "posted", "void": "voided", "expire": "expired"}


def render_ledger_transfer(transfer: LedgerTransfer, livemode: bool) -> dict[str, object]:
    """Return a transfer; of a hold also how it ended, where it has."""
    posted = transfer.amount if transfer.phase in {"posted", "post"} else 0
    ended_by = None
    phase = transfer.phase
    if transfer.ending is not None:
        ended_by, phase, posted = (
            transfer.ending.transfer_id,
            transfer.ending.phase,
            transfer.ending.amount_posted,
        )
    return {
        "id": transfer.id,
        "object": "ledger_transfer",
        "amount": transfer.amount,
        "amount_posted": posted,
        "created": transfer.created,
        "credit_account": transfer.credit_account,
        "currency": transfer.currency,
        "debit_account": transfer.debit_account,
        "ended_by": ended_by,
        "expires_at": transfer.expires_at,
        "hold": transfer.hold,
        "livemode": livemode,
        "metadata": transfer.metadata,
        "sequence": transfer.sequence,
        "status": _STATUSES[phase],
        "type": {"posted": "transfer", "expire": "expiry"}.get(transfer.phase, transfer.phase),
    }


def render_refund(refund: Refund) -> dict[str, object]:
    """Return the refund. The dialect says nothing of the mode here."""
    return {
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": refund.balance_transaction,
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "customer": refund.customer,
        "customer_account": None,
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": refund.metadata,
        "payment_intent": refund.payment_intent,
        "payment_method": refund.payment_method,
        "reason": refund.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": refund.status,
        "transfer_reversal": None,
    }


def render_balance_transaction(
    transfer: Transfer, created_s: int, source: Charge | Refund
) -> dict[str, object]:
    """Return what a capture or a refund did to the balance."""
    amount, fee, description, is_available, kind = -transfer.amount, 0, None, True, "refund"
    delay_days = 0
    if isinstance(source, Charge):
        amount, fee, description = transfer.amount, source.fee, source.description
        is_available, kind, delay_days = source.funds_available, "charge", source.funds_delay_days
    details = {
        "amount": fee,
        "application": None,
        "currency": transfer.currency,
        "description": "Processing fee",
        "type": "stripe_fee",
    }
    return {
        "id": "txn_" + digits(transfer.id),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created_s if is_available else created_s + delay_days * 24 * 3600,
        "balance_type": "payments",
        "created": created_s,
        "currency": transfer.currency,
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [details] if fee else [],
        "net": amount - fee,
        "reporting_category": kind,
        "source": source.id,
        "status": "available" if is_available else "pending",
        "type": kind,
    }


def render_event(event: RecordedEvent, shown: bytes, livemode: bool) -> dict[str, object]:
    """Return the event, with its object put in as it was rendered."""
    return {
        "id": event.id,
        "object": "event",
        "api_version": None,
        "created": event.created,
        "data": {"object": msgspec.Raw(shown)},
        "livemode": livemode,
        "pending_webhooks": event.pending_webhooks,
        "request": {"id": event.request_id, "idempotency_key": event.idempotency_key},
        "sequence": event.sequence,
        "type": event.type,
        "version": event.version,
    }
