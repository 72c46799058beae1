"""Webhooks as receivers check them: the official client, and Standard Webhooks by its own definition."""

import base64
import hashlib
import hmac
import traceback

import pytest
import stripe

from fastpay.outbound.signatures import WebhookSigner

KEY = b"\xfb\xff twenty-four bytes..."
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OLD = "whsec_" + base64.b64encode(b"the one before").decode()
BODY = '{"id":"evt_1","amount":"ä"}'
NOW = 1_790_000_000


def headers(*secrets: str) -> dict[str, str]:
    signed = WebhookSigner(*secrets).headers("evt_1", BODY.encode(), NOW)
    assert len({name for name, _ in signed}) == len(signed) == 4
    return {name.decode(): value.decode() for name, value in signed}


def check_standard(found: dict[str, str], secret: str) -> bool:
    """Check as the specification says: id, timestamp and body with full stops between, in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{found['webhook-id']}.{found['webhook-timestamp']}.{BODY}".encode()
    right = "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return right in found["webhook-signature"].split(" ")


def test_one_secret_signs_in_both_ways() -> None:
    found = headers(SECRET)
    assert stripe.WebhookSignature.verify_header(BODY, found["stripe-signature"], SECRET)
    assert check_standard(found, SECRET)
    assert not check_standard(found, OLD)
    assert (found["webhook-id"], found["webhook-timestamp"]) == ("evt_1", str(NOW))


def test_the_official_client_reads_the_event() -> None:
    body = '{"id":"evt_1","object":"event"}'
    signed = dict(WebhookSigner(SECRET).headers("evt_1", body.encode(), NOW))
    header = signed[b"stripe-signature"].decode()
    event = stripe.Webhook.construct_event(body, header, SECRET, tolerance=10**10)
    assert event.id == "evt_1"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, header, OLD, tolerance=10**10)


def test_a_receiver_with_either_secret_is_content_during_a_rotation() -> None:
    found = headers(SECRET, OLD)
    for secret in (SECRET, OLD):
        assert stripe.WebhookSignature.verify_header(BODY, found["stripe-signature"], secret)
        assert check_standard(found, secret)


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_!!", "whsec_YQ", "WHSEC_YWJj", "YWJj", "sk_test_x", "whsec_YW Jj", "whsec_ä"],
)
def test_what_is_no_secret_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="followed by base64") as refused:
        WebhookSigner(SECRET, secret)
    shown = "".join(traceback.format_exception_only(refused.value))
    assert SECRET not in shown
    assert refused.value.__cause__ is None


def test_nothing_is_not_enough_to_sign_with() -> None:
    with pytest.raises(ValueError, match="at least one secret"):
        WebhookSigner()


@pytest.mark.parametrize("identifier", ["", "evt.1", "."])
def test_an_identifier_with_a_full_stop_is_refused(identifier: str) -> None:
    with pytest.raises(ValueError, match="full stop"):
        WebhookSigner(SECRET).headers(identifier, b"", NOW)
