"""Do idle connections slow the busy ones down? The p99 of 64 busy connections, with a crowd and without.

`python -m benchmarks.transport_idle [connections] [runs]`
"""

import asyncio
import re
import subprocess
import sys

from benchmarks.transport_load import CLIENT_CORE, serving


def p99_ms(url: str) -> float:
    """Return the 99th percentile that wrk sees at full load."""
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", "-c64", "-d3s", "--latency", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    assert match is not None, said
    return float(match[1]) * {"us": 0.001, "ms": 1, "s": 1000}[match[2]]


async def hold(port: int, count: int) -> list[asyncio.StreamWriter]:
    """Open connections and leave them alone."""
    return [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(count)]


async def measure(count: int, runs: int) -> None:
    """Measure in turns."""
    with serving("fastpay", "app") as (_, port):
        url = f"http://127.0.0.1:{port}/v1/payment_intents/pi_1"
        for _ in range(runs):
            alone = await asyncio.to_thread(p99_ms, url)
            crowd = await hold(port, count)
            beside = await asyncio.to_thread(p99_ms, url)
            for writer in crowd:
                writer.transport.abort()
            print(f"p99 alone {alone:.2f} ms, beside {count} idle connections {beside:.2f} ms")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:3]]
    asyncio.run(measure(*(arguments + [18_000, 3][len(arguments) :])))
