"""`fastpay demo` from the outside: what it shows, what it leaves, and what it finds."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from fastpay.operations.embedded import children
from tests.support.servers import (
    NUMBERS,
    PATIENCE_SECONDS,
    RunningServer,
    SpawnServer,
    clean_environment,
    execute,
    fetch,
    not_forever,
    run_fastpay,
)


@pytest.fixture
def place(scratch: Path) -> Path:
    """A directory for the temporary files of one test."""
    directory = scratch / f"demo{next(NUMBERS)}"
    directory.mkdir()
    return directory


def start_demo(*arguments: str, place: Path, **environment: str) -> "subprocess.Popen[str]":
    """Start the demo; whatever it keeps for itself is in `place`."""
    return subprocess.Popen(
        [sys.executable, "-m", "fastpay", "demo", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(TMPDIR=str(place), **environment),
    )


def demo(*arguments: str, place: Path, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run the demo to its end and return its status and all that it said."""
    done = run_fastpay("demo", *arguments, environment={"TMPDIR": str(place), **(environment or {})})
    return done.returncode, done.stdout + done.stderr


def using(server: RunningServer) -> tuple[str, ...]:
    """Return the arguments that make the demo use a server."""
    return "--url", server.url, "--key", server.test_key


def living_under(directory: Path) -> list[str]:
    """Return the command lines of the processes that name a directory or work in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                place = os.readlink(entry / "cwd")
            except OSError:
                continue
            if str(directory) in words or place.startswith(str(directory)):
                found.append(words)
    return found


def test_the_demo_pays_on_a_server_of_its_own_and_leaves_nothing(database_url: str, place: Path) -> None:
    environment = {"FASTPAY_DATABASE_URL": database_url}
    status, output = demo("--payments", "100", "--concurrency", "8", place=place, environment=environment)
    assert status == 0, output
    assert fetch(database_url, "select count(*) from payment_intent") == [(0,)]
    assert "100 payments to http://127.0.0.1:" in output
    assert "payments/s" in output
    assert "Where reads by identifier found it" in output
    # Each payment and its charge were read back, and all of them had been made here.
    cached = next(line for line in output.splitlines() if "process's own cache" in line)
    assert int(cached.split()[-1].replace(",", "")) >= 100
    for kind in ("paid at once", "declined", "held, captured in part", "held, canceled", "refunded in full"):
        assert kind in output
    assert "Everything agrees" in output
    assert "fastpay serve" in output
    # In a pipe nothing moves and nothing is coloured.
    assert "\x1b" not in output
    assert "\r" not in output
    assert list(place.iterdir()) == []
    assert living_under(place) == []


def test_the_demo_pays_on_a_server_that_runs_already(server: RunningServer, place: Path) -> None:
    status, output = demo("--payments", "60", *using(server), place=place)
    assert status == 0, output
    assert f"curl {server.url}/v1/payment_intents" in output
    assert server.test_key not in output
    # The books hold more than this run by now, and the second one still counts its own.
    status, output = demo("--payments", "1", *using(server), place=place)
    assert status == 0, output


def test_the_demo_says_what_disagrees_and_fails(spawn_server: SpawnServer, place: Path) -> None:
    server = spawn_server()
    status, output = demo("--payments", "30", *using(server), place=place)
    assert status == 0, output
    # In a currency that the demo does not use: what a server moves, it writes as it knows it to be.
    pay = {"amount": 1000, "currency": "sek", "payment_method": "pm_card_visa", "confirm": "true"}
    answer = httpx.post(f"{server.url}/v1/payment_intents", data=pay, auth=(server.test_key, ""))
    assert answer.status_code == 200
    execute(
        server.database_url,
        "update account set debits_posted = debits_posted + 1 where code = 'pending' and currency = 'sek'",
    )
    status, output = demo("--payments", "30", *using(server), place=place)
    assert status == 1, output
    assert "Something disagrees" in output
    assert "the accounts in sek differ by 1" in output
    assert "The counters of pending in sek differ from its transfers." in output
    assert "Traceback" not in output


def test_the_demo_keeps_its_data_where_it_is_told(spawn_server: SpawnServer, place: Path) -> None:
    kept = place / "kept"
    status, output = demo("--payments", "10", "--data-dir", str(kept), place=place)
    assert status == 0, output
    assert f"fastpay serve --data-dir {kept}" in output
    server = spawn_server(data_dir=kept)
    assert fetch(server.database_url, "select count(*) from payment_intent") == [(10,)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_demo_and_its_server(
    place: Path, database_url: str, number: signal.Signals
) -> None:
    # Making a cluster takes longest, so one of them has none.
    own = {"FASTPAY_DATABASE_URL": database_url} if number == signal.SIGINT else {}
    with start_demo("--payments", "100000", place=place, **own) as process, not_forever(process):
        assert process.stdout is not None
        said = process.stdout.readline() + process.stdout.readline()
        assert "100,000 payments to" in said
        assert living_under(place)
        process.send_signal(number)
        said += process.stdout.read()
        assert process.wait(PATIENCE_SECONDS) == 130
    assert "Stopped." in said
    assert "Traceback" not in said
    assert living_under(place) == []
    assert list(place.iterdir()) == []


def test_a_killed_demo_takes_its_server_with_it(place: Path) -> None:
    with start_demo("--payments", "100000", place=place) as process, not_forever(process):
        assert process.stdout is not None
        assert "100,000 payments to" in process.stdout.readline() + process.stdout.readline()
        process.kill()
    assert children.wait_until(lambda: living_under(place) == [], timeout_ms=30_000)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--url", "http://127.0.0.1:1"], "--url and --key go together"),
        (["--url", "ftp://x", "--key", "sk_test_x"], "ftp://x is not the URL of a server"),
        (["--url", "http://127.0.0.1:1", "--key", "sk_live_x"], "a key that begins with sk_test_"),
        (["--url", "http://x", "--key", "sk_test_x", "--data-dir", "d"], "the demo's own server"),
        (["--data-dir", "/dev/null/d"], "the demo's server did not start"),
    ],
)
def test_what_cannot_be_is_one_line_and_a_status(place: Path, arguments: list[str], part: str) -> None:
    status, output = demo(*arguments, place=place)
    assert status == 2
    assert part in output
    assert "Traceback" not in output


def test_a_wrong_key_is_told_as_such(server: RunningServer, place: Path) -> None:
    status, output = demo("--url", server.url, "--key", "sk_test_" + "0" * 32, place=place)
    assert status == 2
    assert "the server answered 401" in output
