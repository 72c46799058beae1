"""Do idle connections slow the busy ones down? The p99 of 64 busy connections, with a crowd and without.

`python -m benchmarks.transport_idle [connections] [runs]`
"""

import re
import statistics
import subprocess
import sys

from benchmarks.holding import holding
from benchmarks.transport_load import CLIENT_CORE, serving


def p99_ms(url: str, seconds: float) -> float:
    """Return the 99th percentile that wrk sees at full load."""
    duration = f"-d{max(1, round(seconds))}s"
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", "-c64", duration, "--latency", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    assert match is not None, said
    return float(match[1]) * {"us": 0.001, "ms": 1, "s": 1000}[match[2]]


def compare(count: int, runs: int, seconds: float) -> list[tuple[float, float]]:
    """Return pairs of the p99 alone and beside a crowd of so many, taken in turns."""
    pairs = []
    with serving("fastpay", "app") as (_, port):
        url = f"http://127.0.0.1:{port}/v1/payment_intents/pi_1"
        p99_ms(url, 1)
        for number in range(runs):
            # Which of the two comes first changes, so that a drift of the machine meets both alike.
            alone = p99_ms(url, seconds) if number % 2 == 0 else 0.0
            with holding(port, count):
                beside = p99_ms(url, seconds)
            pairs.append((alone or p99_ms(url, seconds), beside))
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
