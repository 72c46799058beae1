"""What does an older API lose with fastpay in front of it? Loaded directly and through fastpay in turns.

| older API | is |
|---|---|
| flask | the Flask peer, which works for all of its time |
| waiting | the same, where each request waits 50 ms for another server: its workers are the bound |
| fast | a server that does next to nothing (`benchmarks/load/older.py`): how fast fastpay passes on |

All routes are the older API's. A payment through fastpay binds its idempotency key to a side, which is a
commit in fastpay's database. Places differ in who shares a core with whom:

| place | the older API and its PostgreSQL | fastpay with its PostgreSQL and Redis, and the load |
|---|---|---|
| shared | all cores | all cores |
| apart | the first half of the cores | the other half, also where the load goes past fastpay |

A closed loop (wrk) is for the throughput, an open loop at half of the slowest way's rate for the latency. The
direct way is loaded twice in each round, and every other round begins with the last way. The loss and what is
more are medians of the rounds: through fastpay against the mean of a round's direct ways, and one of these
against the other, which is what differs by chance.
"""

import itertools
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from statistics import mean, median

import msgspec
from rich.console import Console

from benchmarks.load import older
from benchmarks.load.cores import own_cores, running_on, split_cores
from benchmarks.load.machine import Database, Machine, empty_database, run_machine, run_on
from benchmarks.load.open_loop import Latencies, run_open_loop
from benchmarks.load.report import Table
from benchmarks.load.serving import Target, serve
from benchmarks.load.wrk import Sample, run_wrk
from benchmarks.payments import load, make_payment, payment_requests
from fastpay.store.keys import hash_key

DIRECT, AGAIN, THROUGH = "direct", "direct again", "through"
READS, PAYMENTS = "reads", "payments"
FLASK, WAITING, FAST = "flask", "waiting", "fast"
SHARED, APART = "shared", "apart"
WAIT_MS = 50
_SHARE_OF_PEAK = 0.5
_ADOPT_KEY = "update api_key set key_hash = $1"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the older API runs, and where everything else does. Both machines may be one."""

    name: str
    older: Machine
    older_cores: tuple[int, ...]
    own: Machine
    own_cores: tuple[int, ...]

    @property
    def groups(self) -> Sequence[tuple[int, ...]]:
        """The cores, by who shares them."""
        return list(dict.fromkeys((self.older_cores, self.own_cores)))


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One of two ways to an older API. Tables are of its database, and `reads` is a file of identifiers."""

    target: Target
    database: Database
    reads: Path

    def requests(self, kind: str) -> Iterator[bytes]:
        """Yield requests of a kind."""
        if kind == PAYMENTS:
            return payment_requests(self.database.keys)
        identifier = self.reads.read_text(encoding="ascii").strip()
        head = f"GET /v1/payment_intents/{identifier} HTTP/1.1\r\nHost: localhost\r\n"
        return itertools.repeat(f"{head}Authorization: Bearer {self.database.keys[0]}\r\n\r\n".encode())


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One load of one way, by either loop."""

    closed: Sample
    opened: Latencies


class Overhead(msgspec.Struct, frozen=True, kw_only=True):
    """All rounds of a kind of requests, by way, and the cores in groups that share them."""

    place: str
    groups: Sequence[tuple[int, ...]]
    older: str
    kind: str
    rounds: Mapping[str, list[Round]]

    def rates(self, way: str) -> list[float]:
        """Return requests a second."""
        return [one.closed.rate for one in self.rounds[way]]

    def p50s_ms(self, way: str) -> list[float]:
        """Return the medians of the latency."""
        return [one.opened.p50_ms for one in self.rounds[way]]

    def p99s_ms(self, way: str) -> list[float]:
        """Return the 99th percentiles."""
        return [one.opened.p99_ms for one in self.rounds[way]]

    def losses(self) -> Mapping[str, list[float]]:
        """Return the share of the direct rate that is lost, round by round."""
        return _beside_direct(self.rates, lambda value, direct: 1 - value / direct)

    def throughput_row(self, way: str) -> tuple[str, ...]:
        """Return what a table shows of the closed loop."""
        rates, losses = self.rates(way), self.losses().get(way, ())
        busy = (
            median(mean(one.closed.busy[core] for core in cores) for one in self.rounds[way])
            for cores in self.groups
        )
        return (
            f"{self.older}, {self.kind}" if way == DIRECT else "",
            way,
            f"{median(rates):,.0f}",
            f"{min(rates):,.0f}-{max(rates):,.0f}",
            f"{100 * median(losses):.1f} %" if losses else "",
            f"{100 * min(losses):.0f} to {100 * max(losses):.0f}" if losses else "",
            " + ".join(f"{100 * share:.0f}" for share in busy),
        )

    def latency_row(self, way: str) -> tuple[str, ...]:
        """Return what a table shows of the open loop."""
        p99s_ms = self.p99s_ms(way)
        more = [
            _beside_direct(values, lambda value, direct: value - direct).get(way, ())
            for values in (self.p50s_ms, self.p99s_ms)
        ]
        return (
            f"{self.older}, {self.kind}" if way == DIRECT else "",
            way,
            f"{self.rounds[way][0].opened.rate:,.0f}",
            f"{median(self.p50s_ms(way)):.2f}",
            f"{median(p99s_ms):.2f}",
            f"{min(p99s_ms):.2f}-{max(p99s_ms):.2f}",
            *(f"{median(one):+.2f}" if one else "" for one in more),
        )


@contextmanager
def shared_place(directory: str) -> Iterator[Place]:
    """Start one PostgreSQL and one Redis for all, on all cores."""
    cores = own_cores()
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        yield Place(name=SHARED, older=machine, older_cores=cores, own=machine, own_cores=cores)


@contextmanager
def place_apart(directory: str) -> Iterator[Place]:
    """Start a PostgreSQL and a Redis for either half of the cores, on which they stay."""
    first, second = split_cores(own_cores())
    with ExitStack() as stack:
        machines = []
        for cores in (first, second):
            with running_on(cores):
                one = run_machine(directory, database_url=None, redis_url=None)
                machines.append(stack.enter_context(one))
        yield Place(name=APART, older=machines[0], older_cores=first, own=machines[1], own_cores=second)


@contextmanager
def both_ways(place: Place, name: str) -> Iterator[Mapping[str, Way]]:
    """Serve an older API, and fastpay in front of it, for the block."""
    with ExitStack() as stack:
        database = stack.enter_context(empty_database(place.older, "bench_older", tenants=1))
        front = stack.enter_context(empty_database(place.own, "bench_front", tenants=1))
        _adopt_key(front, database)
        reads = place.own.directory / f"{name}.identifier"
        with running_on(place.older_cores):
            if name == FAST:
                direct = Target(name, stack.enter_context(older.serving()), 0)
                reads.write_text("pi_OldPayment1\n", encoding="ascii")
            else:
                direct = stack.enter_context(_serve_peer(place, name, database.url))
                made = make_payment(direct.port, database.keys[0])
                reads.write_text(f"{made['id']}\n", encoding="ascii")
        stack.enter_context(running_on(place.own_cores))
        through = stack.enter_context(serve_in_front(place.own, front.url, direct.port))
        ways = {DIRECT: direct, AGAIN: direct, THROUGH: through}
        yield {way: Way(target=target, database=database, reads=reads) for way, target in ways.items()}


def measure(
    ways: Mapping[str, Way],
    place: Place,
    name: str,
    kind: str,
    *,
    rounds: int,
    connections: int,
    seconds: float,
) -> Overhead:
    """Load all ways in turns."""
    closed: dict[str, list[Sample]] = {way: [] for way in ways}
    opened: dict[str, list[Latencies]] = {way: [] for way in ways}
    turns = [list(ways) if number % 2 == 0 else list(ways)[::-1] for number in range(rounds)]
    for way in itertools.chain.from_iterable(turns):
        closed[way].append(_closed_loop(ways[way], name, kind, connections=connections, seconds=seconds))
    peak = min(median(sample.rate for sample in found) for found in closed.values())
    for way in itertools.chain.from_iterable(turns):
        opened[way].append(
            run_open_loop(
                ways[way].target.port,
                ways[way].requests(kind),
                rate=_SHARE_OF_PEAK * peak,
                connections=connections,
                seconds=seconds,
            )
        )
    found = {
        way: [Round(closed=one, opened=other) for one, other in zip(closed[way], opened[way], strict=True)]
        for way in ways
    }
    return Overhead(place=place.name, groups=place.groups, older=name, kind=kind, rounds=found)


def show(console: Console, place: Place, found: Sequence[Overhead], *, connections: int) -> None:
    """Print what was found at a place."""
    older_cores, rest = (" ".join(map(str, cores)) for cores in (place.older_cores, place.own_cores))
    who = f"the older API on cores {older_cores}, all else on {rest}"
    throughput = Table(title=f"throughput, {connections} connections, {who}")
    latency = Table(title="latency at half of the slower way's rate")
    named = ("older API", "way")
    for table, columns in (
        (throughput, ("/s", "range", "loss", "of rounds", "cores busy %")),
        (latency, ("/s", "p50 ms", "p99 ms", "range", "p50 more", "p99 more")),
    ):
        for column in (*named, *columns):
            table.add_column(column, justify="left" if column in named else "right", no_wrap=True)
    for one in found:
        for way in one.rounds:
            throughput.add_row(*one.throughput_row(way))
            latency.add_row(*one.latency_row(way))
    console.print(throughput)
    console.print(latency)


def _beside_direct(
    values: Callable[[str], list[float]], compare: Callable[[float, float], float]
) -> Mapping[str, list[float]]:
    """Compare the rounds with the mean of their direct ways, and one direct way with the other."""
    first, second = values(DIRECT), values(AGAIN)
    through = [
        compare(value, mean(direct)) for value, *direct in zip(values(THROUGH), first, second, strict=True)
    ]
    return {AGAIN: [compare(*both) for both in zip(second, first, strict=True)], THROUGH: through}


def serve_in_front(
    machine: Machine, database_url: str, legacy_port: int, *, instance: int = 0
) -> AbstractContextManager[Target]:
    """Start fastpay in front of an older API. On a busy machine nothing goes back for being slow."""
    return serve(
        "fastpay",
        database_url=database_url,
        redis_url=machine.redis_url,
        directory=machine.directory,
        instance=instance,
        more={
            "FASTPAY_LEGACY_URL": f"http://127.0.0.1:{legacy_port}",
            "FASTPAY_ROLLOUT_SLOW_MS": "600000",
        },
    )


def _serve_peer(place: Place, name: str, database_url: str) -> AbstractContextManager[Target]:
    return serve(
        "flask",
        database_url=database_url,
        redis_url=place.older.redis_url,
        directory=place.older.directory,
        # fastpay takes identifiers of version 7 for its own.
        more={"PEER_UUID_VERSION": "4", "PEER_WAIT_MS": str(WAIT_MS if name == WAITING else 0)},
    )


def _closed_loop(way: Way, name: str, kind: str, *, connections: int, seconds: float) -> Sample:
    if kind == READS:
        arguments = [str(way.reads), way.database.keys[0]]
        return run_wrk(way.target, "reads.lua", arguments, connections=connections, seconds=seconds)
    if name != FAST:
        # Counts the rows in the older API's database as well.
        return load(way.target, way.database, connections=connections, seconds=seconds)
    arguments = [secrets.token_hex(6), *way.database.keys]
    return run_wrk(way.target, "payments.lua", arguments, connections=connections, seconds=seconds)


def _adopt_key(front: Database, older_one: Database) -> None:
    """Have fastpay know the older API's key, as after an import of its digest."""
    run_on(front.url, lambda connection: connection.execute(_ADOPT_KEY, hash_key(older_one.keys[0])))
