"""What the README shows works when it is typed in."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import stripe

from tests.conftest import RunningServer
from tests.http.tenants import Tenant

README = Path(__file__).parents[2] / "README.md"
ADDRESS = "http://127.0.0.1:8000"
PATIENCE_SECONDS = 60


def block(language: str, containing: str) -> str:
    """Return the first block of a language with this in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)
    found = next((text for text in blocks if containing in text), None)
    assert isinstance(found, str), f"README.md has no block of {language or 'text'} with {containing}"
    return found


def run(command: Sequence[str], *, cwd: Path | None = None, **environment: str) -> str:
    """Run a program to its end and return what it printed."""
    ran = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


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
