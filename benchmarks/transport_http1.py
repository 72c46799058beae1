"""How much does an HTTP/1.1 request cost in the transport, beside other servers with the same application?

`python -m benchmarks.transport_http1 [runs] [seconds]`
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.cached import AUTHORIZATION, IDENTIFIER
from benchmarks.transport_http2 import make_certificate
from benchmarks.transport_load import Figure, describe, serving, wrk

PLAIN = {
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
# A cached payment, which others have no like of, beside the bare application of the others.
OVER_TLS = {
    "a bare ASGI application over TLS": [("fastpay", "app"), ("granian", "app"), ("uvicorn", "app")],
    "over TLS: ours a cached payment, others bare": [
        ("fastpay", "cached_app"),
        ("granian", "app"),
        ("uvicorn", "app"),
    ],
}
_HEADERS = (f"Authorization: {AUTHORIZATION.decode()}",)


def measure(servers: list[tuple[str, str]], runs: int, seconds: float, *tls: str) -> dict[str, list[Figure]]:
    """Measure servers with their applications, one after another, and again; over TLS with a certificate."""
    figures: dict[str, list[Figure]] = {name: [] for name, _ in servers}
    for _ in range(runs):
        for name, app in servers:
            with serving(name, app, *tls) as (process, port):
                scheme = "https" if tls else "http"
                url = f"{scheme}://127.0.0.1:{port}/v1/payment_intents/{IDENTIFIER}"
                wrk(process, url, 0.5, headers=_HEADERS)
                figures[name].append(wrk(process, url, seconds, headers=_HEADERS))
    return figures


def measure_all(runs: int, seconds: float) -> dict[str, dict[str, list[Figure]]]:
    """Measure every application, plain and over TLS."""
    with tempfile.TemporaryDirectory() as folder:
        tls = make_certificate(Path(folder))
        return {title: measure(servers, runs, seconds) for title, servers in PLAIN.items()} | {
            title: measure(servers, runs, seconds, *tls) for title, servers in OVER_TLS.items()
        }


def main(runs: int = 3, seconds: float = 3) -> None:
    """Measure every server."""
    for title, found in measure_all(runs, seconds).items():
        print(title)
        for name, measured in found.items():
            print("  " + describe(name, measured))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
