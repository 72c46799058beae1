"""What the suite measures, and how much of it: the figures that its report and its plots are made of."""

from collections.abc import Callable
from statistics import median

import msgspec

from benchmarks.load.machine import Database
from benchmarks.load.mix import Shares
from benchmarks.load.open_loop import Latencies
from benchmarks.load.serving import Target
from benchmarks.load.wrk import Sample

# What users do in the mixed load: 80 % reads, 15 % payments, 5 % refunds, of merchants by Zipf's law.
SHARES = Shares()
MERCHANTS = 10


class Plan(msgspec.Struct, frozen=True):
    """How long and how often everything is measured."""

    concurrency: tuple[int, ...]
    rounds: int
    seconds: float
    shares_of_peak: tuple[float, ...]
    # Payments of each merchant that the mixed load reads and refunds.
    objects: int
    held: tuple[int, ...]
    starts: int


QUICK = Plan((16, 64, 256), 2, 2, (0.25, 0.5, 0.75), 5, (500, 2_000), 3)
FULL = Plan((1, 4, 16, 64, 128, 256, 512), 5, 10, (0.1, 0.25, 0.5, 0.75, 0.9), 100, (1_000, 5_000, 17_500), 7)
TINY = Plan((2, 4), 1, 1, (0.5,), 2, (20, 40), 1)


class Cost(msgspec.Struct, frozen=True):
    """One loaded server: what the load saw, and what server and database used for it."""

    sample: Sample
    server_cpu_seconds: float
    database_cpu_seconds: float

    @property
    def seconds_a_million(self) -> float:
        """Processor time of both for a million requests."""
        return (self.server_cpu_seconds + self.database_cpu_seconds) / max(1, self.sample.requests) * 1e6


class Mixed(msgspec.Struct, frozen=True, kw_only=True):
    """One server under the mixed load at one rate: latencies by what was asked for, and what it cost."""

    server: str
    rate: float
    latencies: dict[str, Latencies]
    failed: int
    server_cpu_seconds: float
    database_cpu_seconds: float

    @property
    def requests(self) -> int:
        """How many were answered."""
        return sum(found.requests for found in self.latencies.values())

    @property
    def seconds_a_million(self) -> float:
        """Processor time of both for a million requests."""
        return (self.server_cpu_seconds + self.database_cpu_seconds) / max(1, self.requests) * 1e6


class Start(msgspec.Struct, frozen=True):
    """One start over a database that is there: until it was ready, and what it held in memory then."""

    ready_ms: float
    resident_bytes: int


Servers = dict[str, tuple[Target, Database]]
Load = Callable[[Target, Database, int, float], Sample]
# By server and connections, a cost for each round.
Costs = dict[str, dict[int, list[Cost]]]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run of the suite found; this is what raw.json holds."""

    machine: dict[str, object]
    plan: Plan
    command: str
    payments: Costs
    reads: Costs
    open_loop: dict[str, list[Latencies]]
    mixed: list[Mixed]
    # Bytes of an idle connection, by server and how many there were.
    memory: dict[str, dict[int, float]]
    starts: list[Start]
    # Seconds that each part took.
    durations: dict[str, float]


def rate_of(costs: list[Cost]) -> float:
    """Return the median of the rounds, in requests a second."""
    return median(cost.sample.rate for cost in costs)


def peak(by: dict[int, list[Cost]]) -> float:
    """Return the most requests a second at any number of connections."""
    return max(rate_of(costs) for costs in by.values())
