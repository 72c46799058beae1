"""The triggers of the Stripe CLI make real objects here, and leave the events that they are named after."""

import os
import re
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.api import open_client
from tests.support.servers import RunningServer
from tests.support.tenants import make_tenant

PATIENCE_SECONDS = 120
# Some events come after the answer: workers make them.
EVENT_PATIENCE_SECONDS = 30
# The CLI offers triggers of products that are not served too: billing, issuing and others.
OURS = re.compile(
    r"(balance\.available|cash_balance\.funds_available|(charge|payment_intent|payment_method|payout|setup_intent|transfer)\..+"
    r"|customer\.((created|deleted|updated)|source\..+))"
)
TRIGGERS_COUNT = 36
# Triggers that do not work yet, and why. One that begins to work must leave this table.
NOT_SERVED: dict[str, str] = {}


class CommandLine:
    """The installed CLI. It keeps its files in a home of its own."""

    def __init__(self, program: Path, home: Path) -> None:
        self._program = program
        self._environment = {**os.environ, "HOME": str(home), "STRIPE_CLI_TELEMETRY_OPTOUT": "1"}

    def run(self, *arguments: str, key: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command of the CLI to its end."""
        return subprocess.run(
            [self._program, *arguments],
            env={**self._environment, "STRIPE_API_KEY": key},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )


@pytest.fixture(scope="module")
def command_line(node: tuple[str, Path]) -> CommandLine:
    # The package for this platform itself: the one that chooses among platforms is a wrapper.
    _, place = node
    program = place / "node_modules" / "@stripe" / "cli-linux-x64" / "bin" / "stripe"
    if not program.is_file():
        pytest.skip("the npm package @stripe/cli-linux-x64 is not for this platform")
    return CommandLine(program, place)


@pytest.fixture(scope="module")
def triggers(command_line: CommandLine) -> list[str]:
    """The triggers of what is served, as the CLI lists them."""
    offered = re.findall(r"^  (\S+)$", command_line.run("trigger", "--help").stdout, re.MULTILINE)
    return [name for name in offered if OURS.fullmatch(name)]


@pytest.fixture(scope="module")
def failures(server: RunningServer, command_line: CommandLine, triggers: list[str]) -> Mapping[str, str]:
    """What went wrong with each trigger that did not work. Each has a tenant of its own."""

    def failure(name: str) -> str:
        secret = make_tenant(server.database_url).secret
        ran = command_line.run("trigger", name, "--api-base", server.url, key=secret)
        if ran.returncode != 0:
            return ran.stdout + ran.stderr
        patience = 0 if name in NOT_SERVED else EVENT_PATIENCE_SECONDS
        return "" if has_event(server, secret, name, patience) else f"no {name} in /v1/events"

    # They wait for the server most of the time.
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(triggers, pool.map(failure, triggers), strict=True))
    return {name: reason for name, reason in found.items() if reason}


def has_event(server: RunningServer, secret: str, name: str, patience_seconds: int) -> bool:
    """Tell whether an event of this type is there, or comes soon."""
    until = time.monotonic() + patience_seconds
    with open_client(server.url, secret) as http:
        while True:
            page = http.get("/v1/events", params={"type": name}).raise_for_status().json()
            if page["data"] or time.monotonic() >= until:
                return bool(page["data"])
            time.sleep(0.1)


def test_the_cli_offers_the_triggers_that_are_known(triggers: list[str]) -> None:
    assert len(triggers) == TRIGGERS_COUNT
    assert set(triggers) >= NOT_SERVED.keys()


def test_every_trigger_leaves_the_event_that_it_is_named_after(failures: Mapping[str, str]) -> None:
    assert {name: reason for name, reason in failures.items() if name not in NOT_SERVED} == {}


def test_a_trigger_that_works_now_is_not_called_unserved(failures: Mapping[str, str]) -> None:
    assert NOT_SERVED.keys() - failures.keys() == set()
