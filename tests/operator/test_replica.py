"""Lists, searches and events from a real streaming replica: never too old, and never in the way."""

import asyncio
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.config import Settings
from fastpay.operations import doctor
from fastpay.operations.embedded import children
from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.findings import Finding
from tests.support.api import ask, get, open_client
from tests.support.servers import (
    NUMBERS,
    PATIENCE_SECONDS,
    RunningServer,
    SpawnServer,
    execute,
    run_fastpay,
)
from tests.support.standby import Standby, running_standby
from tests.support.tenants import Tenant, make_tenant

PAY = {"amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}


@pytest.fixture
def primary(spawn_server: SpawnServer) -> RunningServer:
    """An instance with the database, which knows of no replica."""
    return spawn_server()


@pytest.fixture
def standby(primary: RunningServer, scratch: Path) -> Iterator[Standby]:
    with running_standby(primary.database_url, scratch / f"standby{next(NUMBERS)}") as running:
        yield running


def follow(spawn_server: SpawnServer, primary: RunningServer, standby: Standby, **more: str) -> RunningServer:
    """Start an instance with a replica that answers. It hears of other instances' commits by asking only."""
    environment = more | {
        "FASTPAY_DATABASE_URL": primary.database_url,
        "FASTPAY_REPLICA_URL": standby.url,
        "FASTPAY_REDIS_URL": "redis://127.0.0.1:1/0",
        "FASTPAY_HOMES": "false",
    }
    running = spawn_server(environment=environment)
    wait_for(lambda: "replica_followed" in running.output)
    return running


@pytest.fixture
def patient(spawn_server: SpawnServer, primary: RunningServer, standby: Standby) -> RunningServer:
    """An instance with a bound on age that no busy machine exceeds."""
    return follow(spawn_server, primary, standby, FASTPAY_READ_STALENESS_MS="60000")


@pytest.fixture
def server(spawn_server: SpawnServer, primary: RunningServer, standby: Standby) -> RunningServer:
    return follow(spawn_server, primary, standby)


@pytest.fixture
def tenant(primary: RunningServer) -> Tenant:
    return make_tenant(primary.database_url)


@pytest.fixture
def http(server: RunningServer, tenant: Tenant) -> Iterator[httpx.Client]:
    with open_client(server.url, tenant.secret) as client:
        yield client


def wait_for(condition: Callable[[], object]) -> None:
    """Return once it holds: no measurement, but a guard against a hang."""
    assert children.wait_until(lambda: bool(condition()), timeout_ms=PATIENCE_SECONDS * 1000)


def counts(server: RunningServer) -> tuple[int, int]:
    """Return how many reads the replica answered, and how many the primary in its place."""
    text = ask(f"{server.admin_url}/metrics").text
    found = dict(re.findall(r"^fastpay_reads_(replica\w*)_total (\d+)", text, re.MULTILINE))
    return int(found["replica"]), int(found["replica_passed_by"])


def pay(client: httpx.Client) -> str:
    answer = client.post("/v1/payment_intents", data=PAY)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def listed(client: httpx.Client) -> list[str]:
    return [one["id"] for one in get(client, "/v1/payment_intents", limit="100")["data"]]


def events(client: httpx.Client) -> list[Any]:
    found: list[Any] = get(client, "/v1/events", limit="100")["data"]
    return found


def search(client: httpx.Client) -> list[str]:
    found = get(client, "/v1/payment_intents/search", query="amount:1999", limit="100")
    return [one["id"] for one in found["data"]]


def test_the_replica_answers_lists_searches_and_events_and_nothing_else(
    patient: RunningServer, primary: RunningServer, standby: Standby, tenant: Tenant
) -> None:
    with open_client(patient.url, tenant.secret) as http:
        paid = [pay(http) for _ in range(3)]
        standby.wait_replayed(primary.database_url)
        before, _ = counts(patient)
        assert listed(http) == search(http) == paid[::-1]
        assert len(events(http)) > 0
        answered, _ = counts(patient)
        assert answered == before + 3
        assert get(http, f"/v1/payment_intents/{paid[0]}")["status"] == "succeeded"
        assert get(http, "/v1/balance")["pending"][0]["amount"] > 0
        assert get(http, "/v1/ledger/verify")["ok"] is True
        assert get(http, "/v1/account")["id"]
        assert counts(patient)[0] == answered


def test_a_client_sees_its_own_writes_although_the_replica_does_not(
    patient: RunningServer, standby: Standby, tenant: Tenant
) -> None:
    server = patient
    # Late, and within the bound.
    standby.configure("recovery_min_apply_delay = '400ms'")
    before = counts(server)[1]
    with open_client(server.url, tenant.secret) as http:
        for _ in range(10):
            latest = pay(http)
            assert listed(http)[0] == search(http)[0] == latest
            assert latest in {event["data"]["object"]["id"] for event in events(http)}
    assert counts(server)[1] > before
    assert "replica_left" not in server.output


def test_a_replica_that_lags_is_passed_by_until_it_has_caught_up(
    server: RunningServer, primary: RunningServer, standby: Standby, http: httpx.Client, tenant: Tenant
) -> None:
    """The other instance's payments tell this one nothing: only the bound on age lets it see them."""
    execute(standby.url, "select pg_wal_replay_pause()")
    with open_client(primary.url, tenant.secret) as other:
        elsewhere = pay(other)
        # From then on the replica is too old, whatever this machine does meanwhile.
        time.sleep(limits.read_staleness_ms / 1000)
        assert listed(http) == search(http) == [elsewhere]
        wait_for(lambda: "bytes of the log behind" in server.output)
        execute(standby.url, "select pg_wal_replay_resume()")
        before = counts(server)[0]
        # On a busy machine it is behind again at times.
        wait_for(lambda: listed(http) == [elsewhere] and counts(server)[0] > before)
        assert server.output.count("replica_followed") > 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_a_replica_that_dies_is_missed_by_nobody(
    server: RunningServer, standby: Standby, http: httpx.Client, number: signal.Signals
) -> None:
    paid = [pay(http)]
    standby.signal(number)
    for _ in range(3):
        assert listed(http) == search(http) == paid[::-1]
        paid.append(pay(http))
        assert events(http)
    wait_for(lambda: "replica_left" in server.output)
    assert ask(f"{server.url}/readyz").status_code == 200
    # Of the dependencies only Redis was never there.
    assert "dependency_lost dependency=database" not in server.output


def test_a_primary_in_the_place_of_a_replica_is_not_asked(
    spawn_server: SpawnServer, primary: RunningServer, tenant: Tenant
) -> None:
    environment = {"FASTPAY_DATABASE_URL": primary.database_url, "FASTPAY_REPLICA_URL": primary.database_url}
    server = spawn_server(environment=environment)
    wait_for(lambda: "it is no standby of this primary" in server.output)
    with open_client(server.url, tenant.secret) as client:
        assert listed(client) == []
    assert counts(server)[0] == 0


@pytest.fixture
def stranger_url(data_dir: Path) -> Iterator[str]:
    """A database that is no copy: those of the other tests have one system identifier."""
    with (
        DataDirectory(data_dir) as directory,
        run_servers(directory, with_postgres=True, with_redis=False) as servers,
    ):
        servers.wait_ready()
        assert servers.database_url is not None
        yield servers.database_url


def examine(primary_url: str, replica_url: str) -> dict[str, Finding]:
    """Return what the doctor says of the replica."""
    # A bound that no busy machine exceeds, and that a replica that replays nothing exceeds soon.
    settings = Settings(database_url=primary_url, replica_url=replica_url, read_staleness_ms=2_000)

    async def work() -> list[Finding]:
        return [
            one async for one in doctor.check_database(primary_url, clock=SystemClock(), settings=settings)
        ]

    return {one.check: one for one in asyncio.run(work()) if one.check.startswith("replica")}


def test_the_doctor_says_how_the_replica_stands(
    primary: RunningServer, standby: Standby, stranger_url: str
) -> None:
    good = examine(primary.database_url, standby.url)
    assert good["replica"].state == "good", good
    assert good["replica feedback"].advice.startswith("set hot_standby_feedback = on")
    standby.configure("hot_standby_feedback = on")
    execute(standby.url, "select pg_wal_replay_pause()")
    execute(primary.database_url, "select pg_switch_wal()")
    late = examine(primary.database_url, standby.url)
    assert list(late) == ["replica"]
    assert late["replica"].state == "note"
    assert re.search(r"is \d+ bytes of the log behind after 2000 ms", late["replica"].seen)
    # What can never become a replica is a fault; one that is away is missed by nobody.
    for primary_url, named, state, seen in (
        (stranger_url, standby.url, "fault", "is a standby of another database"),
        (primary.database_url, primary.database_url, "fault", "is no standby"),
        (primary.database_url, "postgresql://me:secret@127.0.0.1:1/x", "note", "cannot reach the database"),
    ):
        found = examine(primary_url, named)["replica"]
        assert (found.state, seen in found.seen) == (state, True), found
        assert "secret" not in found.seen
        assert "FASTPAY_REPLICA_URL" in found.advice


def test_a_replica_without_an_allowed_age_is_refused() -> None:
    environment = {
        "FASTPAY_REPLICA_URL": "postgresql://127.0.0.1/x",
        "FASTPAY_READ_STALENESS_MS": "0",
    }
    done = run_fastpay("serve", "--port", "0", environment=environment)
    assert done.returncode == 2
    assert "replica_url needs a read_staleness_ms above 0" in done.stderr
