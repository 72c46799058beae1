"""What does a live payment cost beside one in test mode, and what do payments cost that wait for a processor?

Run: python -m benchmarks.live [--rounds 5 --waiting 10000]

First one server, whose processor approves each order 2 ms after it came. Payments of the same card in both
modes are made in turns of a second, each of which begins when the one before is no longer counted as
another tenant's (`engine/shares.py`): the two modes are two tenants, and side by side each of them has few
requests in progress, so that batches are small. Compared are the processor time of the server's process and
of PostgreSQL's backends a payment; what a payment commits is counted over single ones, with nobody else
there.

Then two servers, each over a database of its own. The processor of one never answers, and so many payments
wait for it. Payments in test mode and cached reads are made at both in turns: the rates and the processor
times tell what the waiting ones cost all others. The growth of resident memory is told for one of them.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click
from rich.console import Console

from benchmarks import payments
from benchmarks.load.acquirer import acquiring
from benchmarks.load.backends import BackendTime, process_seconds
from benchmarks.load.machine import SEALING_KEYS, Database, Machine, empty_database, fetch_value, run_machine
from benchmarks.load.open_loop import run_open_loop
from benchmarks.load.report import WIDTH
from benchmarks.load.serving import Target, machine_facts, serve, write_results
from benchmarks.load.wrk import Sample, run_wrk
from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.engine.processors.configuration_ports import Secrets
from fastpay.store import keys
from fastpay.store.connections import connected
from fastpay.store.processors import add_processor
from fastpay.store.sealing import Vault, read_keys

_BODY = (
    "amount=2000&currency=usd&confirm=true&payment_method_data%5Btype%5D=card&description=Order+12"
    "&payment_method_data%5Bcard%5D%5Bnumber%5D=4242424242424242&payment_method_data%5Bcard%5D%5Bcvc%5D=123"
    "&payment_method_data%5Bcard%5D%5Bexp_month%5D=12&payment_method_data%5Bcard%5D%5Bexp_year%5D=2034"
    "&metadata%5Border%5D=12"
)
_DELAY_MS, _NEVER = 2, -1
_WRITING = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_SINGLES = 10
_TURN_SECONDS = 1.0
_PAUSE_SECONDS = 1.2 * limits.contended_ms / 1000
_CONNECTIONS = 64
# How many payments a second begin to wait.
_ARRIVING = 400


class Turn(NamedTuple):
    """Requests a second, and microseconds of the server's process and of PostgreSQL's backends for one."""

    rate: float
    process_us: float
    backend_us: float


class Load(NamedTuple):
    """What loads a server for a turn, with which of its keys."""

    run: Callable[[], Sample]
    target: Target
    database: Database
    key: str


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How many turns each load has.")
@click.option("--waiting", default=9_900, show_default=True, help="Payments that wait for a processor.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the databases are put.")
def main(rounds: int, waiting: int, directory: str) -> None:
    """Compare live payments with those in test mode, and a server that waits with one that does not."""
    console = Console(width=WIDTH)
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        cost = compare_modes(machine, rounds=rounds)
        _show(console, "one live payment beside one in test mode, asked for: 1.6 of the process", cost)
        commits = count_commits(machine)
        console.print(f"transactions that a payment writes in: {commits}, asked for: 2 of a live one")
        beside, grown = measure_waiting(machine, waiting=waiting, rounds=rounds)
        for name, turns in beside.items():
            title = f"{name} with {waiting:,} waiting payments beside none, asked for: 0.9 of the rate"
            _show(console, title, turns)
        console.print(f"resident memory of a waiting payment: {grown:,} bytes")
    record = {"machine": machine_facts(), "modes": cost, "commits": commits, "waiting": waiting}
    record |= {"beside_waiting": beside, "bytes_a_waiting_payment": grown}
    console.print(f"written to {write_results('live', record)}")


def compare_modes(machine: Machine, *, rounds: int) -> dict[str, list[Turn]]:
    """Return the turns of payments in each mode, at one server."""
    with _serving(machine, 0, _DELAY_MS) as (target, database):
        loads = {
            name: Load(partial(_pay, target, key), target, database, key)
            for name, key in zip(("test", "live"), database.keys, strict=True)
        }
        return _take_turns(machine, loads, rounds)


def count_commits(machine: Machine) -> dict[str, int]:
    """Return in how many transactions a payment of each mode writes: the least, since instances write too."""
    with _serving(machine, 0, _DELAY_MS) as (target, database):
        found = {}
        for name, key in zip(("test", "live"), database.keys, strict=True):
            counts = []
            for _ in range(_SINGLES):
                before = fetch_value(database.url, _WRITING)
                payments.make_payment(target.port, key, _BODY.encode())
                counts.append(int(fetch_value(database.url, _WRITING) - before))
            found[name] = min(counts)
        return found


def measure_waiting(
    machine: Machine, *, waiting: int, rounds: int
) -> tuple[dict[str, dict[str, list[Turn]]], int]:
    """Return the turns at both servers, by load, and the bytes by which a waiting payment grows one."""
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(_serving(machine, number, _NEVER))
            for number, name in enumerate(("none", "waiting"))
        }
        target, database = servers["waiting"]
        # What is made at the first payments is not theirs.
        _pay(target, database.keys[0])
        before = _resident(target)
        run_open_loop(
            target.port,
            payments.payment_requests(database.keys[1:], _BODY.encode()),
            rate=min(_ARRIVING, waiting),
            connections=_CONNECTIONS,
            seconds=waiting / min(_ARRIVING, waiting),
        )
        begun = int(fetch_value(database.url, "select count(*) from attempt where status = 'open'"))
        if begun < waiting * 0.9:
            raise SystemExit(f"only {begun} of {waiting} payments wait")
        grown = (_resident(target) - before) // begun
        found = {}
        for name, load in (("payments", _payer), ("cached reads", _reader)):
            loads = {who: Load(load(machine, *one), *one, one[1].keys[0]) for who, one in servers.items()}
            found[name] = _take_turns(machine, loads, rounds)
        return found, grown


@contextmanager
def _serving(machine: Machine, number: int, delay_ms: int) -> Iterator[tuple[Target, Database]]:
    """Run a server whose processor answers after a while; the database has a key of each mode."""
    with (
        acquiring(delay_ms) as port,
        empty_database(machine, f"bench_live_{number}", tenants=1) as database,
    ):
        live_key = asyncio.run(_configure(machine, database, port))
        more = {"FASTPAY_PROCESSOR_WAIT_MS": "100", "FASTPAY_PROCESSOR_TIMEOUT_MS": "300000"}
        more["FASTPAY_PROCESSOR_ARRIVAL_S"] = "1200"
        with serve(
            "fastpay",
            database_url=database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
            instance=number,
            more=more if delay_ms == _NEVER else {},
        ) as target:
            yield target, Database(database.url, (*database.keys, live_key))


async def _configure(machine: Machine, database: Database, port: int) -> str:
    """Give the tenant a processor in live mode, and return a live key."""
    clock = SystemClock()
    async with connected(database.url) as connection:
        tenant_id = await connection.fetchval("select tenant_id from tenant")
        await add_processor(
            connection,
            Scope(tenant_id.hex, livemode=True),
            name="acquirer",
            kind="http",
            url=f"http://127.0.0.1:{port}",
            secrets=Secrets(secret="s" * 32),
            vault=Vault(read_keys(machine.directory / SEALING_KEYS), clock=clock),
            clock=clock,
        )
        made = await keys.create_key(connection, tenant_id, livemode=True, clock=clock)
    return made.key


def _pay(target: Target, key: str) -> Sample:
    return run_wrk(
        target,
        "payments.lua",
        [secrets.token_hex(6), key],
        connections=_CONNECTIONS,
        seconds=_TURN_SECONDS,
        body=_BODY,
    )


def _payer(_machine: Machine, target: Target, database: Database) -> Callable[[], Sample]:
    return partial(_pay, target, database.keys[0])


def _reader(machine: Machine, target: Target, database: Database) -> Callable[[], Sample]:
    path = machine.directory / f"live_{target.port}.one"
    path.write_text(f"{payments.make_payment(target.port, database.keys[0])['id']}\n", encoding="ascii")
    arguments = [str(path), database.keys[0]]
    return lambda: run_wrk(target, "reads.lua", arguments, connections=_CONNECTIONS, seconds=_TURN_SECONDS)


def _take_turns(machine: Machine, loads: Mapping[str, "Load"], rounds: int) -> dict[str, list[Turn]]:
    """Load in turns, each the first one every other time, after one of each that warms up."""
    found: dict[str, list[Turn]] = {name: [] for name in loads}
    for number in range(rounds + 1):
        order = list(loads.items())
        for name, (load, target, database, key) in order if number % 2 else reversed(order):
            # From here on this tenant and mode is the last one that asked.
            payments.make_payment(target.port, key, _BODY.encode())
            time.sleep(_PAUSE_SECONDS)
            backends = BackendTime(machine.database_url, database.url.partition("?")[0].rpartition("/")[2])
            before = process_seconds(target.pid)
            sample = load()
            used = process_seconds(target.pid) - before, backends.seconds()
            if number:
                found[name].append(Turn(sample.rate, *(one / sample.requests * 1e6 for one in used)))
    return found


def _resident(target: Target) -> int:
    """Return the bytes of memory that a server has. Source: proc(5), statm."""
    return int(Path(f"/proc/{target.pid}/statm").read_text(encoding="ascii").split()[1]) * 4096


def _show(console: Console, title: str, turns: dict[str, list[Turn]]) -> None:
    """Show the medians, and those of one beside the other."""
    (first, of_first), (second, of_second) = turns.items()
    console.print(title)
    for number, what in enumerate(Turn._fields):
        one, other = (median(turn[number] for turn in found) for found in (of_first, of_second))
        ratios = sorted(b[number] / a[number] for a, b in zip(of_first, of_second, strict=True) if a[number])
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}" if ratios else "not measured"
        console.print(f"  {what}: {first} {one:,.0f}, {second} {other:,.0f}, in pairs {spread}")


if __name__ == "__main__":
    main()
