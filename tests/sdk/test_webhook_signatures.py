"""The libraries of Node accept what is signed here: with either secret of a rotation, and nothing else."""

import base64
import json
import subprocess
from pathlib import Path

from fastpay.clock import SystemClock
from fastpay.outbound.signatures import WebhookSigner

PATIENCE_SECONDS = 120
BODY = '{"id":"evt_1","object":"event","data":{"name":"Ä"}}'
NEW, OLD, OTHER = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"n", b"o", b"x"))


def check(node: tuple[str, Path], secret: str, *, body: str = BODY) -> dict[str, str]:
    """Have a delivery that both secrets signed checked with one."""
    program, place = node
    signed = WebhookSigner(NEW, OLD).headers("evt_1", BODY.encode(), SystemClock().now_ms() // 1000)
    headers = {name.decode(): value.decode() for name, value in signed}
    ran = subprocess.run(
        [program, "webhook.js", secret],
        input=json.dumps({"headers": headers, "body": body}),
        cwd=place,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, str] = json.loads(ran.stdout)
    return found


def test_node_accepts_either_secret_of_a_rotation_and_nothing_else(node: tuple[str, Path]) -> None:
    accepted = {"stripe": "evt_1", "standard": "evt_1"}
    assert check(node, NEW) == accepted
    assert check(node, OLD) == accepted
    refused = {"stripe": "StripeSignatureVerificationError", "standard": "WebhookVerificationError"}
    assert check(node, OTHER) == refused
    assert check(node, NEW, body=BODY.replace("evt_1", "evt_2")) == refused
