"""Requests made from the API's description, right and wrong: no answer contradicts it, and none is a 5xx.

`make fuzz` makes many more.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.servers import RunningServer
from tests.support.tenants import make_tenant

# Of each operation. The time that it takes is that of making requests, not of answering them.
EXAMPLES = int(os.environ.get("FASTPAY_TEST_FUZZ", "1"))
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
# The stream of events does not end.
EXCLUDED = ("events_list",)
# What counts as a refusal of what the description forbids. The transport refuses what is too long.
CONFIGURATION = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 413, 414, 415, 429, 431]
"""
# In a short run. A long one takes all.
SAMPLED = (
    "^(payment_intents|customers|refunds|ledger_transfers|webhook_endpoints)_(create|list|search|update)$"
)


def test_no_answer_contradicts_the_description(server: RunningServer, tmp_path: Path) -> None:
    tenant = make_tenant(server.database_url)
    key = tenant.secret
    # Another account is refused, and most texts with the form of a version are no date.
    known = {"Stripe-Account": f"acct_{tenant.tenant_id.hex}", "Stripe-Version": "2025-09-30.clover"}
    if EXAMPLES > 1:
        # Sooner or later a request would allow a millisecond, and get the 503 that it asked for.
        known["Fastpay-Timeout-Ms"] = "30000"
    parameters = "".join(f'"header.{name}" = "{value}"\n' for name, value in known.items())
    (tmp_path / "schemathesis.toml").write_text(f"[parameters]\n{parameters}{CONFIGURATION}")
    command = [
        *(str(Path(sys.executable).with_name("st")), "run", f"{server.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {key}", "--checks", ",".join(CHECKS)),
        *("--phases", "examples,fuzzing", "--max-examples", str(EXAMPLES), "--continue-on-failure"),
        *("--suppress-health-check", "all", "--warnings", "off", "--no-color"),
        *(word for name in EXCLUDED for word in ("--exclude-operation-id", name)),
    ]
    if EXAMPLES == 1:
        command += ["--include-operation-id-regex", SAMPLED, "--generation-deterministic"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
