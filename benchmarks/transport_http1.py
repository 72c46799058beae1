"""How much does an HTTP/1.1 request cost in the transport, beside other servers with the same application?

`python -m benchmarks.transport_http1 [runs] [seconds]`
"""

import sys

from benchmarks.transport_load import Figure, describe, serving, wrk

PAIRS = {
    "a bare ASGI application": [
        ("fastpay", "app"),
        ("granian", "app"),
        ("uvicorn", "app"),
        ("hypercorn", "app"),
    ],
    "Starlette; ours through the compiled table": [
        ("fastpay", "routed_app"),
        ("granian", "starlette_app"),
        ("uvicorn", "starlette_app"),
    ],
}


def measure(servers: list[tuple[str, str]], runs: int, seconds: float) -> dict[str, list[Figure]]:
    """Measure servers with their applications, one after another, and again."""
    figures: dict[str, list[Figure]] = {name: [] for name, _ in servers}
    for _ in range(runs):
        for name, app in servers:
            with serving(name, app) as (process, port):
                url = f"http://127.0.0.1:{port}/v1/payment_intents/pi_1"
                wrk(process, url, 0.5)
                figures[name].append(wrk(process, url, seconds))
    return figures


def main(runs: int = 3, seconds: float = 3) -> None:
    """Measure every server."""
    for title, servers in PAIRS.items():
        print(title)
        for name, measured in measure(servers, runs, seconds).items():
            print("  " + describe(name, measured))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
