"""Errors as clients see them: the dialect's body or RFC 9457's, and the headers that go with them."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from fastpay._native import digit_runs
from fastpay.api.openapi import codes_page
from fastpay.domain import cards
from fastpay.domain.plan import ErrorRecord
from fastpay.errors import FastpayError, OutcomeUnknown

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"

# Clients back off from here by themselves.
_RETRY_AFTER_S = 1
# The text of an unexpected exception may contain anything, so it is not shown.
_UNEXPECTED = ErrorRecord(
    status=500,
    type="api_error",
    code=None,
    message="Something went wrong on our side. The operator can find this request by its Request-Id.",
)

_NO_OBJECTS: Mapping[str, None] = {}

Failure = FastpayError | ErrorRecord | Exception


def status_of(error: Failure) -> int:
    """Return the HTTP status of an error."""
    return known_error(error).status


def error_body(
    error: Failure,
    *,
    request_log_url: str | None,
    public_url: str | None = None,
    charge: str | None = None,
    objects: Mapping[str, Mapping[str, object] | msgspec.Raw | None] = _NO_OBJECTS,
) -> dict[str, object]:
    """Return the dialect's error. What has no value is left out, `type` and `message` never are.

    `public_url` is where this server is, with its page about the code. `charge` is an identifier, by default
    the recorded one. `objects` are the payment intent, the payment method and the setup intent that it is
    about, rendered, by name.
    """
    known = known_error(error)
    if charge is None and isinstance(known, ErrorRecord):
        charge = known.charge
    content: dict[str, object | None] = {
        "charge": charge,
        "code": known.code,
        "decline_code": known.decline_code,
        "doc_url": codes_page.url_of(public_url, known.code),
        "message": without_card_numbers(known.message),
        "param": None if known.param is None else without_card_numbers(known.param),
        "payment_intent": objects.get("payment_intent"),
        "payment_method": objects.get("payment_method"),
        "request_log_url": request_log_url,
        "setup_intent": objects.get("setup_intent"),
        "type": known.type,
    }
    return {"error": {name: value for name, value in content.items() if value is not None}}


def problem_body(error: Failure, *, instance: str | None) -> dict[str, object]:
    """Return the error as problem details. `instance` names this occurrence, as a URI reference.

    The type stays "about:blank", with the status phrase for a title: what clients branch on is `code`.
    Source: RFC 9457 3.1, 4.2.1.
    """
    known = known_error(error)
    content: dict[str, object | None] = {
        "type": "about:blank",
        "title": HTTPStatus(known.status).phrase,
        "status": known.status,
        "detail": without_card_numbers(known.message),
        "instance": instance,
        "code": known.code,
        "decline_code": known.decline_code,
        "param": None if known.param is None else without_card_numbers(known.param),
    }
    return {name: value for name, value in content.items() if value is not None}


def wants_problem(accept: str | None) -> bool:
    """Tell whether an Accept header names problem details and does not prefer plain JSON."""
    return prefers(accept, PROBLEM_TYPE)


def prefers(accept: str | None, media_type: str) -> bool:
    """Tell whether an Accept header names a media type and does not prefer plain JSON.

    Source: RFC 9110 12.5.1.
    """
    if accept is None or media_type not in accept.lower():
        return False
    weights = dict(_weighted(part) for part in accept.lower().split(","))
    weight = weights.get(media_type, 0.0)
    return weight > 0 and weight >= weights.get(JSON_TYPE, 0.0)


def retry_headers(error: Failure) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that tell a client what to do next: try again, wait, or authenticate."""
    status = status_of(error)
    headers: list[tuple[bytes, bytes]] = []
    # A retry of a recorded error gets the same answer.
    retryable = isinstance(error, FastpayError) and error.retryable
    if status in (402, 409, 429) or status >= 500:
        headers.append((b"stripe-should-retry", b"true" if retryable else b"false"))
    # Without a retry there is no time to retry after.
    is_final = isinstance(error, OutcomeUnknown) or (status == 409 and not retryable)
    if status in (409, 429, 503) and not is_final:
        headers.append((b"retry-after", b"%d" % _RETRY_AFTER_S))
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="fastpay"'))
    return tuple(headers)


def without_card_numbers(text: str) -> str:
    """Return a text without card numbers. It may contain a client's own words."""
    return cards.hide_numbers(text) if digit_runs.in_text(text) else text


def known_error(error: Failure) -> FastpayError | ErrorRecord:
    """Return an error as clients see it: an unexpected exception shows nothing of itself."""
    return error if isinstance(error, FastpayError | ErrorRecord) else _UNEXPECTED


def _weighted(part: str) -> tuple[str, float]:
    """Return a media range and its weight, 0 for an invalid weight."""
    media_range, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media_range, float(value)
            except ValueError:
                return media_range, 0.0
    return media_range, 1.0
