"""The one error tree. A code is public API: clients branch on it.

Errors are raised in the domain and in decoding, translated from driver errors in the store, and rendered by
`api/errors.py`.
"""

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


class ConfigurationError(Exception):
    """A setting, a file or a server that the operator must fix before fastpay can run."""
