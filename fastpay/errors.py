"""The one error tree. A code is public API: clients branch on it.

Errors are raised in the domain and in decoding, translated from driver errors in the store, and rendered by
`api/errors.py`.
"""

from collections.abc import Mapping
from typing import ClassVar


class FastpayError(Exception):
    """Anything that ends a request without success.

    Class attributes give the HTTP status, the dialect's error type, the default code, and whether a client
    may send the same request again.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    default_code: ClassVar[str | None] = None
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code if code is not None else self.default_code
        self.param = param
        self.decline_code = decline_code


class InvalidRequest(FastpayError):
    """The request is invalid: a bad parameter, or one that this state forbids."""

    status = 400
    type = "invalid_request_error"


class UnexpectedState(InvalidRequest):
    """The object's state does not allow the operation."""

    default_code = "payment_intent_unexpected_state"


class IdempotencyMismatch(FastpayError):
    """An idempotency key was used with another request."""

    status = 400
    type = "idempotency_error"


class KeyInUse(FastpayError):
    """The first request with this idempotency key has no final answer yet. It is safe to send it again."""

    status = 409
    type = "idempotency_error"
    default_code = "idempotency_key_in_use"
    retryable = True


class Unauthenticated(FastpayError):
    """No key, a wrong key, or a wrong signature: the response is the same."""

    status = 401
    type = "invalid_request_error"


class CardDeclined(FastpayError):
    """The issuer, or the test card that stands for one, declined."""

    status = 402
    type = "card_error"
    default_code = "card_declined"


class InsufficientFunds(FastpayError):
    """An account's bound does not allow the transfer."""

    status = 402
    type = "invalid_request_error"
    default_code = "balance_insufficient"


class Forbidden(FastpayError):
    """The key is valid, but not for this."""

    status = 403
    type = "invalid_request_error"
    default_code = "secret_key_required"


class AccountInvalid(Forbidden):
    """The key does not belong to the account that the request names."""

    default_code = "account_invalid"


class NotFound(FastpayError):
    """No such object, or another tenant's: the response is the same."""

    status = 404
    type = "invalid_request_error"
    default_code = "resource_missing"


class UnknownRoute(FastpayError):
    """No such path."""

    status = 404
    type = "invalid_request_error"


class MethodNotAllowed(FastpayError):
    """The path does not support this method."""

    status = 405
    type = "invalid_request_error"


class BodyTooLarge(FastpayError):
    """The body exceeds its limit."""

    status = 413
    type = "invalid_request_error"


class UnsupportedMediaType(FastpayError):
    """The body is neither a form nor JSON."""

    status = 415
    type = "invalid_request_error"


class RateLimited(FastpayError):
    """The tenant sends more requests than it may."""

    status = 429
    type = "invalid_request_error"
    default_code = "rate_limit"
    retryable = True


class Overloaded(FastpayError):
    """Too much is waiting to be done in time. Nothing was begun."""

    status = 503
    default_code = "overloaded"
    retryable = True


class DeadlineExceeded(FastpayError):
    """The client's own deadline passed before its turn. Nothing was begun."""

    status = 503
    default_code = "deadline_exceeded"
    retryable = True


class DatabaseUnavailable(FastpayError):
    """PostgreSQL cannot be reached. It is safe to send the same key again."""

    status = 503
    default_code = "database_unavailable"
    retryable = True


class WriterStopped(FastpayError):
    """The write path of this process has failed and accepts nothing more. Nothing was begun."""

    status = 503
    default_code = "writer_stopped"
    retryable = True


class ClockSkewed(FastpayError):
    """This instance's time differs from the database's. Nothing was begun; another instance may be right."""

    status = 503
    default_code = "clock_skewed"
    retryable = True


class OutcomeUnknown(FastpayError):
    """The database was lost during a commit, and the request has no key to find the outcome by.

    Never retryable: a second request could have a second effect.
    """

    status = 503
    default_code = "outcome_unknown"


class LegacyUnavailable(FastpayError):
    """The legacy API cannot be reached. Nothing was sent to it."""

    status = 502
    default_code = "legacy_unavailable"
    retryable = True


class LegacyFailed(FastpayError):
    """The legacy API gave no valid answer to a request that changes nothing."""

    status = 502
    default_code = "legacy_failed"
    retryable = True


class LegacyTimedOut(FastpayError):
    """The legacy API did not answer a request that changes nothing in time."""

    status = 504
    default_code = "legacy_timed_out"
    retryable = True


class LegacyBroke(FastpayError):
    """The legacy API gave no valid answer to a write that was sent to it.

    Never retryable: it may have been carried out.
    """

    status = 502
    default_code = "outcome_unknown"


class LegacySilent(FastpayError):
    """The legacy API did not answer a write in time. Never retryable: it may yet be carried out."""

    status = 504
    default_code = "outcome_unknown"


class LegacyUnmergeable(FastpayError):
    """The legacy API's part of an answer of both sides cannot be merged with this server's."""

    status = 502
    default_code = "legacy_unmergeable"


class LegacyLoop(FastpayError):
    """The legacy API sends requests back to this server."""

    status = 502
    default_code = "legacy_loop"


class ConfigurationError(Exception):
    """A setting, a file or a server that the operator must fix before fastpay can run."""


# Every code of an error, and what it means.
CODES: Mapping[str, str] = {
    "account_invalid": "The key does not belong to the account that the request names.",
    "account_number_invalid": "The number is not one of a bank account.",
    "amount_details_amount_mismatch": "The details of an amount do not add up to it.",
    "amount_too_large": "The amount is more than is possible, or more than is left.",
    "amount_too_small": "The amount is less than the smallest one in its currency.",
    "application_fee_already_refunded": "The fee was given back in full before.",
    "authentication_required": "The cardholder must authenticate the payment, and is not there.",
    "balance_insufficient": "There is not enough money on the account.",
    "bank_account_unusable": "The bank account can no longer be used.",
    "capture_must_be_final": "Only a payment with multicapture can be captured in parts.",
    "card_declined": "The issuer declined. `decline_code` has its reason.",
    "card_number_not_allowed": "A text contains a card number.",
    "charge_already_captured": "The charge was captured before.",
    "charge_already_refunded": "The charge was refunded in full before.",
    "charge_disputed": "The charge is disputed.",
    "charge_expired_for_capture": "The authorization has expired.",
    "charge_not_captured": "The charge is not captured.",
    "charge_not_refundable": "The charge cannot be refunded.",
    "clock_skewed": "The time of this instance is wrong. Nothing was begun.",
    "confirmation_token_already_used": "The confirmation token was used for another intent.",
    "confirmation_token_expired": "The confirmation token has expired.",
    "currency_mismatch": "Two currencies must be the same.",
    "database_read_only": "The database accepts no writes now. The same request may be sent again.",
    "database_unavailable": "The database cannot be reached. The same request may be sent again.",
    "deadline_exceeded": "The client's own deadline has passed. Nothing was begun.",
    "disk_full": "The disk of the database is full. Nothing was written.",
    "email_invalid": "The text is no email address.",
    "expired_card": "The card has expired.",
    "expires_at_past": "The time of expiry is not in the future.",
    "hold_already_ended": "The hold was posted, voided or has expired before.",
    "hold_expired": "The hold has expired.",
    "idempotency_key_in_use": "The first request with this key still waits for the processor. Send it again.",
    "idempotency_key_invalid": "The idempotency key has characters or a length that are not allowed.",
    "incorrect_cvc": "The card's security code is wrong.",
    "incorrect_number": "The card's number is wrong.",
    "insufficient_funds": "There is not enough money on the account.",
    "invalid_cvc": "The card's security code has characters or a length that are not allowed.",
    "invalid_expiry_month": "The month of expiry is no month, or past.",
    "invalid_expiry_year": "The year of expiry is no year, or past.",
    "ledger_account_full": "A counter of the account would exceed its bound.",
    "ledger_account_reserved": "Payments move this account, and clients cannot.",
    "ledger_accounts_equal": "Both accounts of a transfer are the same.",
    "ledger_code_reserved": "Accounts with this code belong to payments.",
    "ledger_transfer_not_held": "The transfer is no hold.",
    "legacy_failed": "The older API behind this one gave no valid answer. Send the request again.",
    "legacy_loop": "The older API behind this one sends requests back. An operator must mend its address.",
    "legacy_timed_out": "The older API behind this one was too slow. Send the request again.",
    "legacy_unmergeable": "The older API's part of this answer cannot be merged. An operator must look why.",
    "legacy_unavailable": "The older API behind this one cannot be reached. Nothing was sent to it.",
    "linked_chain_failed": "Another transfer of the linked chain failed.",
    "linked_chain_open": "The last transfer of a batch is linked to a next one.",
    "outcome_unknown": "The request may have been carried out. Look up the result before you repeat it.",
    "overloaded": "Too much is waiting. Nothing was begun, and the same request may be sent again.",
    "parameter_invalid": "The value of a parameter is not allowed.",
    "parameter_invalid_empty": "A parameter is empty that cannot be.",
    "parameter_invalid_integer": "A parameter must be a whole number, within bounds.",
    "parameter_missing": "A parameter is required.",
    "parameter_unknown": "There is no such parameter.",
    "parameters_too_many": "The request has too many parameters.",
    "payment_intent_authentication_failure": "The cardholder did not authenticate the payment.",
    "payment_intent_incompatible_payment_method": "The payment method does not fit the payment.",
    "payment_intent_payment_attempt_failed": "The payment would wait, and the request does not allow it.",
    "payment_intent_mandate_invalid": "The mandate does not allow the payment.",
    "payment_intent_unexpected_state": "The state of the payment does not allow this.",
    "payment_method_unexpected_state": "The state of the payment method does not allow this.",
    "payout_not_cancelable": "The payout was sent, and can no longer be canceled.",
    "payout_reversal_not_allowed": "The payout cannot be reversed.",
    "processing_error": "Something failed at the issuer.",
    "processor_operation_unsupported": "fastpay cannot ask a processor to do this yet.",
    "processor_not_configured": "No processor takes live payments.",
    "publishable_key_required": "A web page sent a secret key.",
    "rate_limit": "Too many requests. The same one may be sent again, later.",
    "raw_card_number_not_allowed": "This server takes no card numbers, only payment methods and tokens.",
    "resource_missing": "There is no such object.",
    "settlement_differs": "The settlement says something else than the books.",
    "routing_number_invalid": "The number is not one of a bank.",
    "search_query_too_expensive": "The search would take too long. Make it narrower.",
    "secret_key_required": "This needs a secret key.",
    "setup_intent_authentication_failure": "The cardholder did not authenticate the setup.",
    "setup_intent_invalid_parameter": "A parameter does not fit the setup.",
    "setup_intent_mandate_invalid": "The mandate does not allow the setup.",
    "setup_intent_unexpected_state": "The state of the setup does not allow this.",
    "token_already_used": "The token was used before.",
    "transfer_already_reversed": "The transfer was reversed in full before.",
    "url_invalid": "The URL is not one that a browser can be sent to.",
    "webhook_endpoints_exceeded": "There are as many webhook endpoints as a tenant can have.",
    "writer_stopped": "This instance writes nothing more. Another one may take the same request.",
}
# Every reason of an issuer.
DECLINE_CODES: Mapping[str, str] = {
    "authentication_required": "The cardholder must authenticate the payment.",
    "card_velocity_exceeded": "The card was used too often lately.",
    "expired_card": "The card has expired.",
    "fraudulent": "The payment was blocked as too risky.",
    "generic_decline": "The issuer gave no reason.",
    "incorrect_cvc": "The security code is wrong.",
    "insufficient_funds": "There is not enough money on the account.",
    "live_mode_test_card": "A test card was given in live mode.",
    "lost_card": "The card was reported lost.",
    "processing_error": "Something failed at the issuer.",
    "stolen_card": "The card was reported stolen.",
    "test_mode_live_card": "The card of a person was given in test mode.",
}
