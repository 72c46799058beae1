"""Do idle connections slow the busy ones down? The p99 of 64 busy connections, with a crowd and without.

`python -m benchmarks.transport_idle [connections] [runs]`: requests arrive at a fixed rate and count from
when they were due, well below what the server can do. At full load the generator's own stalls are most of it.
A turn is measured in windows of half a second, and its figure is the median of their p99s: a machine that
takes the core away for some milliseconds, several times in a second or not at all, would decide it otherwise.
"""

import itertools
import os
import statistics
import sys
import time

from benchmarks.holding import GET, holding
from benchmarks.load.open_loop import run_open_loop
from benchmarks.transport_load import CLIENT_CORE, serving

BUSY = 64
RATE = 4_000.0
# How long after thousands of connections came or went the server is left alone.
SETTLE_SECONDS = 1.5
WINDOW_SECONDS = 0.5


def p99_ms(port: int, seconds: float) -> float:
    """Return the median of the 99th percentiles of all windows, in milliseconds."""
    windows = [
        run_open_loop(
            port, itertools.repeat(GET), rate=RATE, connections=BUSY, seconds=WINDOW_SECONDS, spins=True
        )
        for _ in range(max(1, round(seconds / WINDOW_SECONDS)))
    ]
    return statistics.median(window.p99_ms for window in windows)


def compare(count: int, runs: int, seconds: float) -> list[tuple[float, float]]:
    """Return pairs of the p99 alone and beside a crowd of so many, taken in turns."""
    pairs = []
    others = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(CLIENT_CORE)})
    try:
        with serving("fastpay", "app") as (_, port):
            p99_ms(port, 1)
            for number in range(runs):
                # Which of the two comes first changes, so that a drift of the machine meets both alike.
                alone = p99_ms(port, seconds) if number % 2 == 0 else 0.0
                with holding(port, count):
                    time.sleep(SETTLE_SECONDS)
                    beside = p99_ms(port, seconds)
                time.sleep(SETTLE_SECONDS)
                pairs.append((alone or p99_ms(port, seconds), beside))
    finally:
        os.sched_setaffinity(0, others)
    return pairs


def describe(pairs: list[tuple[float, float]]) -> tuple[float, float, str]:
    """Return the medians, and the median ratio with its spread."""
    ratios = sorted(beside / alone for alone, beside in pairs)
    spread = f"{statistics.median(ratios):.2f}x ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs), spread


def main(count: int = 17_500, runs: int = 5) -> None:
    """Measure in turns."""
    alone, beside, spread = describe(compare(count, runs, 3))
    print(f"p99 alone {alone:.2f} ms, beside {count} idle connections {beside:.2f} ms: {spread}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
