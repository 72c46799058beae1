"""How fast are webhooks delivered, how soon, and what do they cost the payments beside them?

Run: python -m benchmarks.webhooks [--only drain,replay --seconds 5 --rounds 5 --rate 333]

The receiver is a process on the same machine, and takes processor time as well.

    drain    how many events a second one endpoint gets from a log that is there already
    replay   from the command's time to the arrival of the first attempt, while payments come at `--rate` a
             second, of three events each: alone and beside a replay of old events, in turns
    snapshot the same alone and beside a transaction in REPEATABLE READ that stays open, in turns, while one
             event of ten fails at first; and with one that stays open for `--held` seconds, load after load
    cost     payments with an endpoint that gets everything, and with one whose receiver refuses connections,
             each between two loads of the same server without an endpoint
    takeover how many seconds after its end another instance has all endpoints of one that is killed, and of
             one that stops in order

Each state has endpoints of its own, which begin at the end of the log: no load pays for the events of
another. Processor time is that of the server's process and of PostgreSQL's backends.
"""

import json
import statistics
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from typing import Any

import click
import msgspec
from rich.console import Console

from benchmarks import payments
from benchmarks.load.backends import BackendTime, process_seconds
from benchmarks.load.machine import (
    Database,
    Machine,
    empty_database,
    execute,
    fetch_value,
    run_machine,
    run_on,
)
from benchmarks.load.open_loop import run_open_loop
from benchmarks.load.options import Several
from benchmarks.load.receiver import arrivals, count, receiving
from benchmarks.load.report import WIDTH
from benchmarks.load.serving import Target, machine_facts, serve, write_results
from benchmarks.load.webhook_faults import old_snapshot, seconds_to_takeover
from fastpay import limits

PARTS = ("drain", "replay", "snapshot", "cost", "takeover")
# How many endpoints are taken over: half of these.
_SHARED = 20
# How many old events there are to be replayed.
REPLAYED = 100_000
_DATABASE = "bench_webhooks"
_ENVIRONMENT = {"FASTPAY_OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8"}
_PATIENCE_SECONDS = 300.0
_EVENTS = 3
_DEAD = "http://127.0.0.1:1/"
_CREATED = "select sequence, extract(epoch from created_at)::float8 from event where sequence > $1"
_REPLAYING = """
    select count(*) from webhook_replay left join webhook_progress using (webhook_endpoint_id)
    where webhook_replay_id > replayed_id
"""


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """How long first attempts took, in milliseconds, and how many deliveries of replays came a second."""

    events: int
    p50_ms: float
    p99_ms: float
    replayed_per_second: float = 0.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Payments a second, and what one of them took of the processors, in microseconds."""

    rate: float
    server_us: float
    database_us: float


@click.command()
@click.option("--only", type=Several(str, PARTS), default=",".join(PARTS), show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="How long each load lasts.")
@click.option("--rounds", default=5, show_default=True, help="How often each comparison is made.")
@click.option("--rate", default=333, show_default=True, help="Payments a second while delays are measured.")
@click.option("--held", default=0.0, show_default=True, help="Seconds that one snapshot stays open at last.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(only: tuple[str, ...], seconds: float, rounds: int, rate: int, held: float, directory: str) -> None:
    """Measure deliveries, their delays and their cost."""
    console = Console(width=WIDTH)
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        found = run(machine, only, seconds=seconds, rounds=rounds, rate=rate, held=held)
    console.print(found)
    record = {"machine": machine_facts(), "rate": rate, "found": msgspec.to_builtins(found)}
    console.print(f"written to {write_results('webhooks', record)}")


def run(
    machine: Machine,
    only: tuple[str, ...],
    *,
    seconds: float,
    rounds: int,
    rate: int,
    held: float = 0.0,
    replayed: int = REPLAYED,
) -> dict[str, Any]:
    """Return what was found, by part."""
    found: dict[str, Any] = {}
    with (
        empty_database(machine, _DATABASE, tenants=1) as database,
        receiving() as port,
        serve(
            "fastpay",
            database_url=database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
            more=_ENVIRONMENT,
        ) as target,
    ):
        api = Api(target, database, port)
        # The first delivery of a process loads the client.
        with api.endpoint():
            payments.make_payment(target.port, database.keys[0])
        if "drain" in only:
            found["drained_per_second"] = _drain(api, seconds=seconds)
        if "replay" in only:
            found["replay"] = _replay(api, rate=rate, seconds=seconds, rounds=rounds, replayed=replayed)
        if "snapshot" in only:
            found["snapshot"] = _snapshot(api, rate=rate, seconds=seconds, rounds=rounds, held=held)
        if "cost" in only:
            found["cost"] = _cost(api, machine, seconds=seconds, rounds=rounds)
        if "takeover" in only:
            with ExitStack() as stack:
                for _ in range(_SHARED):
                    stack.enter_context(api.endpoint())
                found["takeover"] = seconds_to_takeover(
                    machine, database.url, endpoints=_SHARED, rounds=rounds, more=_ENVIRONMENT
                )
    return found


class Api:
    """Webhook endpoints of the one tenant, over HTTP."""

    def __init__(self, target: Target, database: Database, port: int) -> None:
        """`port` is the receiver's."""
        self.target = target
        self.database = database
        self.port = port

    @contextmanager
    def endpoint(self, url: str | None = None, **fields: str) -> Iterator[str]:
        """Have an endpoint that wants everything for the block; at its end everything is delivered."""
        wanted = {"url": url or f"http://127.0.0.1:{self.port}/all", "enabled_events[]": "*", **fields}
        endpoint = self.post("", **wanted)["id"]
        # Until it is held, nothing is sent.
        self._wait(endpoint, lambda shown: shown["lag"] is not None)
        yield endpoint
        if url is None:
            self.wait_delivered(endpoint)
        self._send("DELETE", f"/{endpoint}", None)
        # Until it is left, it may cost something.
        time.sleep(3 * limits.relay_beat_ms / 1000)

    def post(self, path: str, **fields: str) -> dict[str, Any]:
        """Post a form below /v1/webhook_endpoints."""
        return self._send("POST", path, urllib.parse.urlencode(fields))

    def wait_delivered(self, endpoint: str) -> int:
        """Return how far the deliveries are, once everything is delivered."""
        return int(self._wait(endpoint, lambda shown: shown["lag"] == 0)["delivered_through"])

    def wait_open(self, endpoint: str) -> None:
        """Make payments until the endpoint is known to be dead."""
        for _ in range(1 + limits.relay_circuit_failures // _EVENTS):
            payments.make_payment(self.target.port, self.database.keys[0])
        self._wait(endpoint, lambda shown: shown["circuit"] == "open")

    def _wait(self, endpoint: str, is_so: Any) -> dict[str, Any]:
        end_s = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end_s:
            shown: dict[str, Any] = self._send("GET", f"/{endpoint}", None)["fastpay"]
            if is_so(shown):
                return shown
            time.sleep(0.05)
        raise SystemExit("what was waited for did not come in time")

    def _send(self, method: str, path: str, body: str | None) -> dict[str, Any]:
        connection = HTTPConnection("127.0.0.1", self.target.port, timeout=30)
        headers = {
            "Authorization": f"Bearer {self.database.keys[0]}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection.request(method, f"/v1/webhook_endpoints{path}", body, headers)
        response = connection.getresponse()
        said: dict[str, Any] = json.loads(response.read())
        connection.close()
        if response.status != 200:
            raise SystemExit(f"{method} {path} was refused: {said}")
        return said


def _drain(api: Api, *, seconds: float) -> float:
    before = _sequence(api)
    payments.load(api.target, api.database, connections=16, seconds=seconds)
    begun_s = time.monotonic()
    with api.endpoint(**{"fastpay[start_after_sequence]": str(before)}) as endpoint:
        through = api.wait_delivered(endpoint)
        return (through - before) / (time.monotonic() - begun_s)


def _replay(api: Api, *, rate: int, seconds: float, rounds: int, replayed: int) -> dict[str, Any]:
    """Return the delays alone and beside a replay, and the median of their ratios by round."""
    while _sequence(api) < replayed:
        payments.load(api.target, api.database, connections=64, seconds=seconds)
    # More than a replay can do in the time.
    size, first = int(seconds * limits.relay_replays_per_second), 1
    alone: list[Delays] = []
    beside: list[Delays] = []
    with api.endpoint() as endpoint:
        for number in range(2 * rounds):
            # The one that comes first takes turns as well.
            if number % 4 in (1, 2):
                if first + size > replayed:
                    first = 1
                api.post(f"/{endpoint}/replay", from_sequence=str(first), to_sequence=str(first + size - 1))
                first += size
                beside.append(_delays(api, rate=rate, seconds=seconds))
                while fetch_value(api.database.url, _REPLAYING):
                    time.sleep(0.1)
            else:
                alone.append(_delays(api, rate=rate, seconds=seconds))
    return {
        "alone": alone,
        "beside": beside,
        "p99_ratio": _ratio(alone, beside),
    }


def _delays(api: Api, *, rate: int, seconds: float) -> Delays:
    """Return how soon events arrive while payments come at a rate."""
    before, had = _sequence(api), count(api.port)
    requests = payments.payment_requests(api.database.keys)
    run_open_loop(api.target.port, requests, rate=rate, connections=16, seconds=seconds)
    got = count(api.port) - had

    async def read(connection: Any) -> Any:
        return await connection.fetch(_CREATED, before)

    created = run_on(api.database.url, read)
    end_s = time.monotonic() + _PATIENCE_SECONDS
    while len(arrived := arrivals(api.port, before)) < len(created):
        if time.monotonic() > end_s:
            raise SystemExit("events did not arrive in time")
        time.sleep(0.05)
    delays = sorted((arrived[number] - at_s) * 1000 for number, at_s in created)
    return Delays(
        events=len(delays),
        p50_ms=delays[len(delays) // 2],
        p99_ms=delays[len(delays) * 99 // 100],
        replayed_per_second=max(0, got - len(delays)) / seconds,
    )


def _snapshot(api: Api, *, rate: int, seconds: float, rounds: int, held: float) -> dict[str, Any]:
    """Return the delays alone and beside an old snapshot, and the median of their ratios by round.

    `held` are those beside one snapshot that stays open, and `held_ratio` is the second half to the first.
    """
    alone: list[Delays] = []
    beside: list[Delays] = []
    during: list[Delays] = []
    with api.endpoint(f"http://127.0.0.1:{api.port}/some"):
        for _ in range(rounds):
            alone.append(_delays(api, rate=rate, seconds=seconds))
            with old_snapshot(api.database.url):
                beside.append(_delays(api, rate=rate, seconds=seconds))
        if held:
            with old_snapshot(api.database.url):
                during = [_delays(api, rate=rate, seconds=seconds) for _ in range(round(held / seconds))]
    half = len(during) // 2
    return {
        "alone": alone,
        "beside": beside,
        "p99_ratio": _ratio(alone, beside),
        "held": during,
        "held_ratio": _ratio(during[:half], during[-half:]) if half else None,
    }


def _ratio(alone: list[Delays], beside: list[Delays]) -> float:
    return statistics.median(two.p99_ms / one.p99_ms for one, two in zip(alone, beside, strict=True))


def _cost(api: Api, machine: Machine, *, seconds: float, rounds: int) -> dict[str, Any]:
    """Return the loads by state, and the rates with endpoints to the mean of those without beside them."""
    loads: dict[str, list[Load]] = {"none": [], "one": [], "dead": []}

    def measure(state: str) -> float:
        loads[state].append(_load(api, machine, seconds=seconds))
        return loads[state][-1].rate

    ratios: dict[str, list[float]] = {"one": [], "dead": []}
    before = measure("none")
    for number in range(2 * rounds):
        state = "one" if number % 4 in (0, 3) else "dead"
        with api.endpoint(_DEAD if state == "dead" else None) as endpoint:
            if state == "dead":
                api.wait_open(endpoint)
            rate = measure(state)
        after = measure("none")
        ratios[state].append(rate / statistics.mean((before, after)))
        before = after
    return {
        "with_one": statistics.median(ratios["one"]),
        "with_dead": statistics.median(ratios["dead"]),
        "ratios": ratios,
        "loads": loads,
    }


def _load(api: Api, machine: Machine, *, seconds: float) -> Load:
    execute(api.database.url, "checkpoint")
    backends, before = BackendTime(machine.database_url, _DATABASE), process_seconds(api.target.pid)
    sample = payments.load(api.target, api.database, connections=64, seconds=seconds)
    return Load(
        rate=sample.rate,
        server_us=(process_seconds(api.target.pid) - before) / sample.requests * 1e6,
        database_us=backends.seconds() / sample.requests * 1e6,
    )


def _sequence(api: Api) -> int:
    return int(fetch_value(api.database.url, "select coalesce(max(sequence), 0) from book"))


if __name__ == "__main__":
    main()
