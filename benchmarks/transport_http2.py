"""How much does an HTTP/2 request over TLS cost, beside Hypercorn alone and granian?

`python -m benchmarks.transport_http2 [runs] [requests]`
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.transport_load import Figure, describe, h2load, serving


def make_certificate(folder: Path) -> tuple[str, str]:
    """Make a certificate for localhost."""
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def measure(runs: int, count: int) -> dict[str, list[Figure]]:
    """Measure every server, one after another, and again."""
    figures: dict[str, list[Figure]] = {"fastpay": [], "hypercorn": [], "granian": []}
    with tempfile.TemporaryDirectory() as folder:
        tls = make_certificate(Path(folder))
        for _ in range(runs):
            for name, measured in figures.items():
                with serving(name, "app", *tls) as (process, port):
                    url = f"https://127.0.0.1:{port}/v1/payment_intents/pi_1"
                    h2load(process, url, 500)
                    measured.append(h2load(process, url, count))
    return figures


def main(runs: int = 3, count: int = 6000) -> None:
    """Measure and tell."""
    for name, measured in measure(runs, count).items():
        print(describe(name, measured))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
