"""What the errors of the dialect say of a payment, and who may try it again."""

from collections.abc import Mapping

from fastpay.engine.processors.ports import Retry

# By the issuer's reason, or by the code where there is none. Another card may do for every other one.
# Source: the dialect's documentation of decline codes.
_RETRIES: Mapping[str, Retry] = {
    # The payment is suspected, and not only the card.
    "fraudulent": "never",
    "highest_risk_level": "never",
    "merchant_blacklist": "never",
    "previously_declined_do_not_retry": "never",
    "security_violation": "never",
    # The same payment may pass a little later.
    "approve_with_id": "later",
    "issuer_not_available": "later",
    "processing_error": "later",
    "reenter_transaction": "later",
    "try_again_later": "later",
}


def retry_of(code: str | None, decline_code: str | None) -> Retry:
    """Return who may try a declined payment again."""
    for reason in (decline_code, code):
        if reason is not None and reason in _RETRIES:
            return _RETRIES[reason]
    return "other_card"
