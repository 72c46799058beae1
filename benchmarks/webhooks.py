"""How fast are webhooks delivered, how soon, and what do they cost the payments beside them?

Run: python -m benchmarks.webhooks [--seconds 10 --rounds 3 --rate 333]

The receiver is a process on the same machine, and takes processor time as well. `drain` is how many events a
second one endpoint gets from a log that is there already. `delay` is from the command's time to the arrival
of the first attempt, while payments come at `--rate` a second, of three events each: without anything else,
and beside a replay of everything so far. `cost` holds the payments of a round against those of the same round
without an endpoint: with one that gets everything, and with one whose receiver refuses connections.
"""

import asyncio
import json
import statistics
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from subprocess import PIPE, Popen
from typing import Any, ClassVar

import click
import msgspec
from rich.console import Console

from benchmarks import payments
from benchmarks.load.machine import Database, Machine, empty_database, execute, run_machine, run_on
from benchmarks.load.open_loop import run_open_loop
from benchmarks.load.report import WIDTH
from benchmarks.load.serving import ROOT, Target, free_port, machine_facts, serve, write_results

_ENVIRONMENT = {"FASTPAY_OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8"}
_PATIENCE_SECONDS = 300.0
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_CREATED = "select sequence, extract(epoch from created_at)::float8 from event where sequence > $1"


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """How long first attempts took, in milliseconds."""

    events: int
    p50_ms: float
    p99_ms: float


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. The costs are rates as parts of the rate without endpoints."""

    drained_per_second: float
    live: Delays
    beside_replay: Delays
    with_one: float
    with_dead: float


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="How long each load lasts.")
@click.option("--rounds", default=3, show_default=True, help="How often the costs are compared.")
@click.option("--rate", default=333, show_default=True, help="Payments a second while delays are measured.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(seconds: float, rounds: int, rate: int, directory: str) -> None:
    """Measure deliveries, their delays and their cost."""
    console = Console(width=WIDTH)
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        found = run(machine, seconds=seconds, rounds=rounds, rate=rate)
    console.print(found)
    record = {"machine": machine_facts(), "rate": rate, "found": msgspec.to_builtins(found)}
    console.print(f"written to {write_results('webhooks', record)}")


def run(machine: Machine, *, seconds: float, rounds: int, rate: int) -> Found:
    """Return what was found."""
    with empty_database(machine, "bench_webhooks", tenants=1) as database, receiving() as port:
        serving = serve(
            "fastpay",
            database_url=database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
            more=_ENVIRONMENT,
        )
        with serving as target:
            api = Api(target, database)
            payments.load(target, database, connections=16, seconds=seconds)
            begun_s = time.monotonic()
            endpoint = api.post("", url=f"http://127.0.0.1:{port}/all", **{"enabled_events[]": "*",
                "fastpay[start_after_sequence]": "0"})["id"]  # fmt: skip
            drained = api.wait_delivered(endpoint)
            drained_per_second = drained / (time.monotonic() - begun_s)
            live = _delays(api, port, rate=rate, seconds=seconds, endpoint=endpoint)
            api.post(f"/{endpoint}/replay", from_sequence="1")
            beside = _delays(api, port, rate=rate, seconds=seconds, endpoint=endpoint)
            costs = [_cost(api, endpoint, seconds=seconds) for _ in range(rounds)]
    return Found(
        drained_per_second=drained_per_second,
        live=live,
        beside_replay=beside,
        with_one=statistics.median(one for one, _ in costs),
        with_dead=statistics.median(dead for _, dead in costs),
    )


class Api:
    """Webhook endpoints of the one tenant, over HTTP."""

    def __init__(self, target: Target, database: Database) -> None:
        self.target = target
        self.database = database

    def post(self, path: str, **fields: str) -> dict[str, Any]:
        """Post a form below /v1/webhook_endpoints."""
        return self._send("POST", path, urllib.parse.urlencode(fields))

    def wait_delivered(self, endpoint: str) -> int:
        """Return how far the deliveries are, once everything is delivered."""
        end_s = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end_s:
            state = self._send("GET", f"/{endpoint}", None)["fastpay"]
            if state["lag"] == 0:
                return int(state["delivered_through"])
            time.sleep(0.05)
        raise SystemExit("the events were not delivered in time")

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


def _delays(api: Api, port: int, *, rate: int, seconds: float, endpoint: str) -> Delays:
    """Return how soon events arrive while payments come at a rate."""
    before = api.wait_delivered(endpoint) if not _arrivals(port) else max(_arrivals(port))
    requests = payments.payment_requests(api.database.keys)
    run_open_loop(api.target.port, requests, rate=rate, connections=16, seconds=seconds)
    api.wait_delivered(endpoint)
    arrived = _arrivals(port)

    async def read(connection: Any) -> Any:
        return await connection.fetch(_CREATED, before)

    created = run_on(api.database.url, read)
    delays = sorted((arrived[number] - at_s) * 1000 for number, at_s in created if number in arrived)
    return Delays(events=len(delays), p50_ms=delays[len(delays) // 2], p99_ms=delays[len(delays) * 99 // 100])


def _cost(api: Api, endpoint: str, *, seconds: float) -> tuple[float, float]:
    """Return the rates with an endpoint that gets everything and with a dead one, to that without."""
    rates = []
    for fields in ({"disabled": "true"}, {"disabled": "false"}, {"url": "http://127.0.0.1:1/"}):
        api.post(f"/{endpoint}", **fields)
        time.sleep(1.5)
        execute(api.database.url, "checkpoint")
        sample = payments.load(api.target, api.database, connections=64, seconds=seconds)
        rates.append(sample.rate)
        if fields == {"disabled": "false"}:
            api.wait_delivered(endpoint)
    return rates[1] / rates[0], rates[2] / rates[0]


def _arrivals(port: int) -> dict[int, float]:
    """Return when each event came first, in seconds since 1970."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/report", timeout=60) as response:
        return {int(number): at_s for number, at_s in json.loads(response.read()).items()}


@contextmanager
def receiving() -> Iterator[int]:
    """Run a receiver for the block, and return its port."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.webhooks", "receive", str(port)]
    with Popen(command, stdout=PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield port
        finally:
            process.kill()


class _Receiver(asyncio.Protocol):
    """Acknowledges everything, and notes when it came first."""

    arrived: ClassVar[dict[int, float]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: Any = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            size = int(_field(head, b"content-length") or 0)
            if len(self._buffer) < end + 4 + size:
                return
            self._buffer = self._buffer[end + 4 + size :]
            if head.startswith(b"get /report"):
                body = json.dumps(self.arrived).encode()
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                continue
            self.arrived.setdefault(int(_field(head, b"fastpay-sequence") or 0), time.time())
            self._transport.write(_ANSWER)


def _field(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()


async def _receive(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Receiver, "127.0.0.1", port, backlog=1024)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:2] == ["receive"]:
        import uvloop

        uvloop.run(_receive(int(sys.argv[2])))
    else:
        main()
