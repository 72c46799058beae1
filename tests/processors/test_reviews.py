"""Attempts in review: listed and decided over the API and on the command line."""

from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from fastpay.cli import commands
from fastpay.errors import ConfigurationError
from tests.processors.test_live_payments import DECLINED, Front, in_background, lose, paid, pay, send
from tests.support.api import open_client
from tests.support.operators import act, get, join, notes_of

NOTE = "Seen in the processor's dashboard."


def run(front: Front, *words: str) -> str:
    """Run `fastpay processors review` with the live key, and return what it prints."""
    own = ("--url", front.server.url, "--key", front.key)
    done = CliRunner().invoke(commands, ["processors", "review", *words, *own])
    if done.exception is not None:
        raise done.exception
    return done.output


def in_review(http: httpx.Client) -> list[dict[str, Any]]:
    """Return the attempts in review."""
    listed: list[dict[str, Any]] = http.get("/v1/attempts", params={"status": "review"}).json()["data"]
    return listed


def decide(http: httpx.Client, attempt: dict[str, Any], **fields: str) -> httpx.Response:
    """Say what became of an attempt."""
    path = f"/v1/payment_intents/{attempt['payment_intent']}/attempts/{attempt['id']}/resolve"
    return http.post(path, data=fields, headers={"Idempotency-Key": attempt["payment_intent"]})


def test_an_approval_of_another_amount_is_decided_on_the_command_line(front: Front) -> None:
    front.proxy.hold("answers")
    with front.client() as http:
        with in_background(lambda: lose(http)):
            front.proxy.wait_reached()
            (reference,) = front.charged()
            assert "review" not in run(front, "list")
            send(http, paid(reference) | {"amount_received": 1999})
            (attempt,) = in_review(http)
            assert (attempt["id"], attempt["in_doubt"]) == (reference, 2000)
            assert attempt["review"]["reason"] == "the processor says 1999 instead of 2000"
            assert f"{reference}  {attempt['payment_intent']}  acquirer" in run(front, "list")
            words = ("resolve", attempt["payment_intent"], reference, "--as", "approved", "--note", NOTE)
            assert run(front, *words) == f"{reference} is approved\n"
            with pytest.raises(ConfigurationError, match="not in review"):
                run(front, *words)
            payment = front.wait_ended()
            assert (payment["status"], payment["amount_received"]) == ("succeeded", 2000)
            front.proxy.release()
        assert front.attempts(payment)[0]["review"]["note"] == NOTE
    front.check()


def test_late_approval_is_proposed_to_be_accepted_and_is_decided_once(front: Front) -> None:
    with front.client() as http:
        error = pay(http, **{"payment_method_data[card][number]": DECLINED}).json()["error"]
        (attempt,) = front.attempts(error["payment_intent"])
        send(http, paid(attempt["id"]))
        (noted,) = in_review(http)
        review = {"ended_as": "declined", "note": None, "proposed": "accept", "resolution": None}
        assert noted["review"] == review | {
            "reason": "it ended as declined, and the processor says approved now"
        }
        assert front.wait_ended()["status"] == "requires_payment_method"
        for wrong in ({"resolution": "approved"}, {"note": NOTE}, {"resolution": "lost", "note": NOTE}):
            assert decide(http, noted, **wrong).status_code == 400
        other = noted | {"payment_intent": "pi_" + "9" * 32}
        assert decide(http, other, resolution="approved", note=NOTE).status_code == 404
        first = decide(http, noted, resolution="approved", note=NOTE)
        again = decide(http, noted, resolution="approved", note=NOTE)
        assert first.content == again.content
        assert first.json()["review"] == noted["review"] | {"note": NOTE, "resolution": "approved"}
        payment = front.wait_ended()
        assert (payment["status"], payment["amount_received"]) == ("succeeded", 2000)
        told = http.get("/v1/events", params={"types[]": "attempt.*"}).json()["data"]
        assert [(one["type"], one["data"]["object"]["status"]) for one in told] == [
            ("attempt.resolved", "approved"), ("attempt.review_opened", "review")
        ]  # fmt: skip
        assert told[0]["request"]["id"] == first.headers["request-id"]
    front.check()


def test_an_operator_decides_in_the_console_and_is_noted(front: Front) -> None:
    with front.client() as http:
        error = pay(http, **{"payment_method_data[card][number]": DECLINED}).json()["error"]
        (attempt,) = front.attempts(error["payment_intent"])
        send(http, paid(attempt["id"]))
    payment, url = error["payment_intent"]["id"], front.server.admin_url
    page = f"/console/payments/{front.scope.tenant_id}/live/{payment}"
    with open_client(url, headers={"Origin": url}) as console:
        console.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        ada = join(console, front.server)
        shown = get(console, page, ada).text
        assert f"Decide what became of {attempt['id']}" in shown
        assert "Proposed: accept the money" in shown
        assert "Nothing is sent to the processor, and no money is given back." in shown
        assert "a person has given the money back at the processor: compensated" in shown
        decision = {"attempt": attempt["id"], "resolution": "approved", "note": NOTE}
        for wrong in ({"note": " "}, {"resolution": "lost"}, {"attempt": "att_"}):
            assert act(console, page, ada, "resolve", **(decision | wrong)).status_code in {400, 404}
        assert front.wait_status() == "requires_payment_method"
        assert act(console, page, ada, "resolve", **decision).status_code == 303
        assert "Decide what became of" not in get(console, page, ada).text
    assert front.wait_status() == "succeeded"
    assert [action for action, _ in notes_of(front.server, payment)][-1] == "payment.resolved"
    front.check()
