"""What clients are told when something did not go well, and what they are not told."""

from typing import Any

import msgspec
import pytest

from fastpay import errors
from fastpay.api.errors import error_body, problem_body, retry_headers, status_of, wants_problem
from fastpay.api.openapi import codes_page
from fastpay.domain.plan import ErrorRecord, record
from fastpay.errors import FastpayError

DECLINE = errors.CardDeclined(
    "Your card has expired.", code="expired_card", decline_code="expired_card", param="exp_month"
)
CLASSES = [
    value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, FastpayError)
]
SECRET = "postgresql://fastpay:hunter2@db/fastpay"


def content(*arguments: Any, **options: Any) -> Any:
    return error_body(*arguments, **{"request_log_url": None, **options})["error"]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_type_that_the_sdks_know(kind: type[FastpayError]) -> None:
    shown = content(kind("Because."))
    assert shown["type"] in ("api_error", "card_error", "idempotency_error", "invalid_request_error")
    assert shown["message"] == "Because."


def test_what_has_no_value_is_left_out() -> None:
    assert content(errors.InvalidRequest("No.")) == {"message": "No.", "type": "invalid_request_error"}


def test_what_has_a_value_is_shown() -> None:
    intent: dict[str, object] = {"id": "pi_1", "object": "payment_intent"}
    method: dict[str, object] = {"id": "pm_1", "object": "payment_method"}
    setup: dict[str, object] = {"id": "seti_1", "object": "setup_intent"}
    shown = content(
        DECLINE,
        request_log_url="https://example.com/req_1",
        charge="ch_1",
        objects={"payment_intent": intent, "payment_method": method, "setup_intent": setup},
    )
    assert list(shown.items()) == [
        ("charge", "ch_1"),
        ("code", "expired_card"),
        ("decline_code", "expired_card"),
        ("message", "Your card has expired."),
        ("param", "exp_month"),
        ("payment_intent", intent),
        ("payment_method", method),
        ("request_log_url", "https://example.com/req_1"),
        ("setup_intent", setup),
        ("type", "card_error"),
    ]


def test_a_code_leads_to_the_page_about_it_where_this_server_has_a_url() -> None:
    shown = content(DECLINE, public_url="https://pay.example")
    assert shown["doc_url"] == "https://pay.example/docs/errors#expired_card"
    assert "doc_url" not in content(DECLINE)
    assert "doc_url" not in content(errors.UnknownRoute("No."), public_url="https://pay.example")


def test_the_page_about_codes_has_each_of_them_once() -> None:
    page = codes_page.make().decode()
    for name in errors.CODES:
        assert page.count(f'id="{name}"') == 1
    for name in errors.DECLINE_CODES:
        assert page.count(f'id="decline-{name}"') == 1


def test_a_recorded_error_is_shown_as_it_was_the_first_time() -> None:
    kept = record(DECLINE, charge="ch_1", payment_intent="pi_1", payment_method="pm_1")
    first = error_body(DECLINE, request_log_url=None, charge="ch_1")
    assert msgspec.json.encode(error_body(kept, request_log_url=None)) == msgspec.json.encode(first)
    assert status_of(kept) == status_of(DECLINE) == 402


@pytest.mark.parametrize(
    "unexpected", [ValueError(SECRET), KeyError(SECRET), errors.ConfigurationError(SECRET)]
)
def test_an_unexpected_exception_leaks_nothing(unexpected: Exception) -> None:
    assert status_of(unexpected) == 500
    bodies = [error_body(unexpected, request_log_url=None), problem_body(unexpected, instance=None)]
    for body in bodies:
        text = msgspec.json.encode(body).decode()
        assert "hunter2" not in text
        assert type(unexpected).__name__ not in text
    assert content(unexpected)["type"] == "api_error"
    assert content(unexpected)["message"]


def test_problem_details_say_the_same_in_another_shape() -> None:
    assert list(problem_body(DECLINE, instance="/requests/req_1").items()) == [
        ("type", "about:blank"),
        ("title", "Payment Required"),
        ("status", 402),
        ("detail", "Your card has expired."),
        ("instance", "/requests/req_1"),
        ("code", "expired_card"),
        ("decline_code", "expired_card"),
        ("param", "exp_month"),
    ]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_problem_details(kind: type[FastpayError]) -> None:
    body = problem_body(kind("Because."), instance=None)
    assert (body["status"], body["detail"]) == (kind.status, "Because.")
    assert "instance" not in body


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/*", False),
        ("application/problem+json", True),
        ("Application/Problem+JSON", True),
        ("application/problem+json, application/json", True),
        ("application/json, application/problem+json;q=0.5", False),
        ("application/json;q=0.5 , application/problem+json ; q=0.9", True),
        ("application/problem+json;q=0", False),
        ("application/problem+json;q=nonsense", False),
        ("application/problem+json;charset=utf-8", True),
        ("application/problem+jsonx", False),
        (";,=;q=,", False),
    ],
)
def test_problem_details_are_for_those_who_ask_by_name(accept: str | None, wanted: bool) -> None:
    assert wants_problem(accept) is wanted


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (errors.InvalidRequest(""), {}),
        (DECLINE, {b"stripe-should-retry": b"false"}),
        (errors.NotFound(""), {}),
        (errors.Unauthenticated(""), {b"www-authenticate": b'Bearer realm="fastpay"'}),
        (errors.RateLimited(""), {b"stripe-should-retry": b"true", b"retry-after": b"1"}),
        (errors.Overloaded(""), {b"stripe-should-retry": b"true", b"retry-after": b"1"}),
        (errors.DatabaseUnavailable(""), {b"stripe-should-retry": b"true", b"retry-after": b"1"}),
        (errors.OutcomeUnknown(""), {b"stripe-should-retry": b"false"}),
        (FastpayError(""), {b"stripe-should-retry": b"false"}),
        (ValueError(""), {b"stripe-should-retry": b"false"}),
        (ErrorRecord(409, "invalid_request_error", None, ""), {b"stripe-should-retry": b"false"}),
        (ErrorRecord(402, "card_error", None, ""), {b"stripe-should-retry": b"false"}),
    ],
)
def test_a_client_is_told_what_to_do_next(error: Any, headers: dict[bytes, bytes]) -> None:
    assert dict(retry_headers(error)) == headers
