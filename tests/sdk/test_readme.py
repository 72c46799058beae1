"""What the README shows works when it is typed in."""

import re
import shutil
import sys
from pathlib import Path

import pytest
import stripe

from tests.pages.blocks import ADDRESS, block, run
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant


def test_the_curl_command_makes_one_payment(
    server: RunningServer, tenant: Tenant, client: stripe.StripeClient
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (Debian package curl)")
    command = block("", "Idempotency-Key")
    answers = [run(["sh", "-c", command], KEY=tenant.secret, URL=server.url) for _ in range(2)]
    assert answers[0] == answers[1]
    assert '"status":"succeeded"' in answers[0].replace(" ", "")
    assert [intent.amount for intent in client.v1.payment_intents.list().data] == [1999]


def test_the_curl_commands_capture_and_refund(
    server: RunningServer, tenant: Tenant, client: stripe.StripeClient
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (Debian package curl)")
    commands = re.sub(r"\\\n\s*", "", block("", "capture_method=manual")).splitlines()
    for command in commands:
        held = client.v1.payment_intents.list().data
        typed = command.replace("pi_...", held[0].id if held else "pi_...")
        run(["sh", "-c", typed.replace("curl", "curl --fail")], KEY=tenant.secret, URL=server.url)
    charge = client.v1.charges.list().data[0]
    assert (charge.amount, charge.amount_captured, charge.amount_refunded) == (5000, 3000, 1000)


def test_the_python_example_pays_and_refunds(server: RunningServer, tenant: Tenant) -> None:
    source = block("python", "StripeClient").replace(ADDRESS, server.url)
    source = source.replace("sk_test_...", tenant.secret)
    assert run([sys.executable, "-c", source]) == "succeeded succeeded\n"


def test_the_node_example_pays(node: tuple[str, Path], server: RunningServer, tenant: Tenant) -> None:
    program, place = node
    source = block("javascript", "from 'stripe'").replace("sk_test_...", tenant.secret)
    source = source.replace("8000", server.url.rpartition(":")[2])
    (place / "pay.mjs").write_text(source, encoding="utf-8")
    assert run([program, "pay.mjs"], cwd=place) == "succeeded\n"
