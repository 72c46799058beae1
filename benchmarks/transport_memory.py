"""How many bytes does an idle keep-alive connection hold in user space?

`python -m benchmarks.transport_memory [connections] [TLS connections]`: how much the server's resident memory
grows by connections that each had one request answered. They are held by another process.
"""

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.holding import holding
from benchmarks.transport_http2 import make_certificate
from benchmarks.transport_load import resident_bytes, serving

WARM_UP = 200
SERVERS = ("fastpay", "granian", "uvicorn")


def weigh(name: str, count: int, *tls: str) -> float:
    """Return what each of so many connections costs a server while it waits."""
    with serving(name, "app", *tls) as (process, port), holding(port, WARM_UP, tls=bool(tls)):
        time.sleep(0.5)
        before = resident_bytes(process)
        with holding(port, count, tls=bool(tls), first=WARM_UP):
            time.sleep(1)
            return (resident_bytes(process) - before) / count


def main(count: int = 17_500, tls_count: int = 3_000) -> None:
    """Measure the servers one after another."""
    with tempfile.TemporaryDirectory() as folder:
        tls = make_certificate(Path(folder))
        for name in SERVERS:
            print(f"{name:10} {weigh(name, count):8.0f} bytes a plain connection", flush=True)
            print(f"{name:10} {weigh(name, tls_count, *tls):8.0f} bytes a TLS connection", flush=True)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
