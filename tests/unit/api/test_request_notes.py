"""Which requests are kept, and what the pipeline notes of each on its way."""

import logging
from typing import Any

import pytest

from fastpay.api.request_notes import Note, RequestNotes, describe
from fastpay.engine.request_log import RequestLog
from fastpay.engine.request_log_ports import LoggedRequest
from fastpay.errors import Overloaded
from tests.unit.api import test_challenge_page as challenge
from tests.unit.api.fakes import PUBLISHABLE, Api, FakeClock

PAYMENT = "amount=1000&currency=usd"
PATH = "/v1/payment_intents"


class Log(RequestLog[Note]):
    """Keeps what is added."""

    def __init__(self, *, with_strangers: bool = False) -> None:
        lines = (lambda requests: None) if with_strangers else None
        super().__init__(describe, clock=FakeClock(), write_lines=lines)
        self.added: list[Note] = []

    def add(self, note: Note) -> None:
        self.added.append(note)

    def described(self) -> list[LoggedRequest]:
        """Return what is kept of each."""
        return [describe(note, 1_000_000, note.ended_ns) for note in self.added]


def logging_api(log: Log, *, percent: int | None = None, **more: Any) -> Api:
    return Api(request_notes=RequestNotes(log, clock=FakeClock(), percent=percent, public_url=None), **more)


def test_a_complete_log_has_every_request_of_a_key() -> None:
    log = Log()
    api = logging_api(log)
    paid = api.send("POST", PATH, PAYMENT)
    api.send("GET", f"{PATH}/{paid.json()['id']}")
    api.send("GET", PATH)
    api.send("GET", f"{PATH}/Jenny")
    api.send("HEAD", PATH)
    assert [(one.method, one.path, one.status) for one in log.described()] == [
        ("POST", PATH, 200),
        ("GET", f"{PATH}/{paid.json()['id']}", 200),
        ("GET", PATH, 200),
        ("GET", f"{PATH}/[redacted]", 404),
        ("HEAD", PATH, 200),
    ]
    assert log.added[0].request_id == paid.headers["request-id"]


@pytest.mark.parametrize("percent", [0, 25, 100])
def test_a_sample_has_its_share_and_all_failures(percent: int) -> None:
    log = Log()
    api = logging_api(log, percent=percent)
    tried = 400 if percent == 25 else 40
    for _ in range(tried):
        assert api.send("GET", PATH).status_code == 200
        assert api.send("GET", f"{PATH}/x").status_code == 404
    found = log.described()
    assert sum(one.status == 404 for one in found) == tried
    share = sum(one.status == 200 for one in found) / tried
    # Far beyond what chance allows: six standard deviations.
    assert abs(share - percent / 100) <= (0.13 if percent == 25 else 0)


def test_requests_of_nobody_are_kept_only_as_lines_and_then_by_the_draw() -> None:
    for with_strangers, percent, count in ((False, None, 0), (True, None, 3), (True, 0, 0), (True, 100, 3)):
        log = Log(with_strangers=with_strangers)
        api = logging_api(log, percent=percent)
        api.send("GET", PATH, key="sk_test_unknownunknownunknown")
        api.send("GET", "/v1/nowhere", key=None)
        api.send("PATCH", PATH, key=None)
        assert len(log.added) == count, (with_strangers, percent)
        assert all(one.scope is None for one in log.described())


def test_health_checks_and_pages_for_anybody_are_not_requests_of_the_log() -> None:
    log = Log(with_strangers=True)
    api = logging_api(log)
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
        api.send("GET", path, key=None)
    assert log.added == []


def test_a_request_that_is_refused_after_its_key_is_kept_with_its_error() -> None:
    log = Log()
    api = logging_api(log)
    api.send("POST", PATH, PAYMENT, key=PUBLISHABLE)
    api.send("POST", PATH, PAYMENT, headers={"Stripe-Account": "acct_x"})
    api.engine.overloaded = Overloaded("Later.")
    api.send("POST", PATH, PAYMENT)
    found = [(one.status, one.error.code if one.error else None) for one in log.described()]
    assert found == [(403, "secret_key_required"), (403, "account_invalid"), (503, "overloaded")]


def test_a_bug_is_kept_as_what_the_client_was_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log()
    api = logging_api(log)

    def fail(*_: object) -> None:
        raise ValueError("card 4242424242424242")

    monkeypatch.setattr(api.engine, "list", fail)
    with caplog.at_level(logging.CRITICAL):
        assert api.send("GET", PATH).status_code == 500
    (found,) = log.described()
    assert found.error is not None
    assert found.error.type == "api_error"
    assert "4242" not in repr(found)


def test_a_replay_names_the_first_request() -> None:
    log = Log()
    api = logging_api(log)
    answers = [api.send("POST", PATH, PAYMENT, headers={"Idempotency-Key": "order 6735"}) for _ in "ab"]
    first, second = log.described()
    assert first.original_request_id is None
    assert second.original_request_id == first.request_id == answers[0].headers["request-id"]
    assert first.object_id == second.object_id == answers[0].json()["id"]
    assert first.sequence == second.sequence


def test_what_a_cardholder_answers_is_a_request_of_the_tenant_without_the_url_of_the_page() -> None:
    log = Log()
    api = logging_api(log)
    intent = challenge.begin(api)
    page = challenge.page_of(intent)
    api.send("GET", page, key=None)
    challenge.answer(api, page, "succeeded")
    challenge.answer(api, "/authenticate/x/pi_x", "succeeded")
    made, shown, answered = log.described()
    assert [one.scope for one in (shown, answered)] == [made.scope] * 2
    assert [one.path for one in (shown, answered)] == [f"/authenticate/[redacted]/{intent['id']}"] * 2
    assert (answered.method, answered.status, answered.object_id) == ("POST", 303, intent["id"])
    assert page.split("/")[2] not in repr(log.described())


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("0190a5f0-b7e9-7cc0-8d0a-8b8e5b1f2a3c", "0190a5f0-b7e9-7cc0-8d0a-8b8e5b1f2a3c"),
        ('"order 6735"', "order 6735"),
        ("159", None),
        ("4242424242424242", None),
        ("order 4242 4242 4242 4242", None),
        ("sk_live_0123456789", None),
        ("whsec_0123456789", None),
        ("pi_1_secret_0123456789", None),
        ("é" * 10, None),
        ("x" * 300, None),
    ],
)
def test_an_idempotency_key_is_kept_if_it_is_one_and_no_secret(header: str, kept: str | None) -> None:
    log = Log()
    api = logging_api(log)
    headers: Any = {"Idempotency-Key": header.encode("latin-1")}
    api.send("POST", PATH, PAYMENT, headers=headers)
    (found,) = log.described()
    assert found.idempotency_key == kept


@pytest.mark.parametrize(
    ("content_type", "body", "kept"),
    [
        ("application/x-www-form-urlencoded", b"amount=5", '{"amount":5}'),
        ("application/json", b'{"amount":5}', '{"amount":5}'),
        ("application/json; charset=utf-8", b'{"amount":5}', '{"amount":5}'),
        ("application/json", b'{"amount":', None),
        ("application/x-www-form-urlencoded", b"amount", None),
        ("text/plain", b"amount=5", None),
        ("application/x-www-form-urlencoded", b"amount=5&description=" + b"x" * 5_000, None),
        ("application/x-www-form-urlencoded", b"", "{}"),
    ],
)
def test_parameters_are_kept_if_they_can_be_read(content_type: str, body: bytes, kept: str | None) -> None:
    log = Log()
    api = logging_api(log)
    api.send("POST", PATH, content=body, headers={"content-type": content_type})
    (found,) = log.described()
    assert found.parameters == kept


def test_errors_show_their_url_only_if_requests_are_stored_and_a_setting_says_where(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for stored in (True, False):
        for public_url in ("https://pay.example", None):
            log = Log()
            monkeypatch.setattr(Log, "is_stored", stored)
            notes = RequestNotes(log, clock=FakeClock(), percent=None, public_url=public_url)
            api = Api(request_notes=notes)
            reply = api.send("GET", f"{PATH}/x")
            url = reply.json()["error"].get("request_log_url")
            expected = f"https://pay.example/v1/request_logs/{reply.headers['request-id']}"
            assert url == (expected if stored and public_url else None)
            strange = api.send("GET", PATH, key="sk_test_unknownunknownunknown")
            assert "request_log_url" not in strange.json()["error"]
