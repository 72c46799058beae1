"""Twenty upgrades in a row while clients pay: `python -m tests.operator.soak_upgrades`, part of `make soak`.

Clients keep connections or open new ones, over HTTP/1.1 and HTTP/2, in processes of their own. Every fifth
newcomer crashes, and every seventh hangs until it is ended. Afterwards each acknowledged payment must be
there once, and no client may have seen a failure. Prints the rate of payments, and ends with status 1 if
anything is wrong.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.store.migrate import migrate
from tests.support.doors import Certificate, make_certificate
from tests.support.servers import fetch
from tests.support.tenants import make_tenant
from tests.support.upgrades import Crowd, Installation, pid_of, running_installation, upgrade, wait_ended

_CROWDS = 3


def main() -> int:
    """Run it, and return the status of the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how many upgrades")
    parser.add_argument("--plain", action="store_true", help="without TLS")
    arguments = parser.parse_args()
    # PostgreSQL runs as another user, who must pass through.
    with tempfile.TemporaryDirectory(prefix="fastpay-upgrades-") as name:
        scratch = Path(name)
        scratch.chmod(0o711)
        certificate = None if arguments.plain else make_certificate(scratch)
        with (
            DataDirectory(scratch / "servers") as directory,
            run_servers(directory, with_postgres=True, with_redis=True) as servers,
        ):
            servers.wait_ready()
            assert servers.database_url is not None
            assert servers.redis_url is not None
            asyncio.run(migrate(servers.database_url))
            faults = _play(scratch, servers.database_url, servers.redis_url, certificate, arguments.times)
    print("\n".join(faults) or "no fault")  # noqa: T201
    return 1 if faults else 0


def _play(
    scratch: Path, database_url: str, redis_url: str, certificate: Certificate | None, times: int
) -> list[str]:
    installation = Installation(scratch, Path(sys.executable).with_name("fastpay"))
    environment = {
        "FASTPAY_DATABASE_URL": database_url,
        "FASTPAY_REDIS_URL": redis_url,
        "FASTPAY_UPGRADE_TIMEOUT_MS": "20000",
        "FASTPAY_ADDRESS_CONNECTIONS_PER_SECOND": "100000",
        "FASTPAY_ADDRESS_HANDSHAKES_PER_SECOND": "100000",
    }
    tls = (
        []
        if certificate is None
        else ["--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key)]
    )
    secret = make_tenant(database_url).secret
    with running_installation(
        installation, scratch / "data", scratch, *tls, environment=environment
    ) as running:
        context = multiprocessing.get_context("spawn")
        stopping, started = context.Event(), time.monotonic()
        crowds = []
        for number in range(_CROWDS):
            here, there = context.Pipe()
            process = context.Process(
                target=_pay, args=(number, running.url, secret, certificate, stopping, there)
            )
            process.start()
            crowds.append((process, here))
        faults = []
        for number in range(1, times + 1):
            old = pid_of(running)
            is_broken = number % 5 == 0 or number % 7 == 0
            if number % 5 == 0:
                installation.plant("crashes", "exit 3")
            elif number % 7 == 0:
                installation.plant("hangs", "exec sleep 600")
            else:
                installation.install()
            status, said = upgrade(running)
            if status != (1 if is_broken else 0):
                faults.append(f"upgrade {number}: {said}")
            elif not is_broken:
                wait_ended(old, running)
        stopping.set()
        paid: dict[str, str] = {}
        for process, here in crowds:
            more, failures = here.recv()
            process.join()
            paid |= more
            faults += failures
        seconds = time.monotonic() - started
        if faults:
            faults.append(running.output)
        print(f"{times} upgrades, {len(paid)} payments, {len(paid) / seconds:.0f} a second")  # noqa: T201
    found = fetch(database_url, "select count(*) from payment_intent where status = 'succeeded'")[0][0]
    if not found == len(paid) == len(set(paid.values())):
        faults.append(f"{len(paid)} payments were acknowledged, and {found} are in the database")
    return faults


def _pay(
    number: int, url: str, secret: str, certificate: Certificate | None, stopping: Event, told: Connection
) -> None:
    crowd = Crowd(url, secret, certificate, prefix=f"{number}-")
    crowd.send_in(kept=3, new=2, http2=3)
    stopping.wait()
    crowd.stop()
    told.send((crowd.paid, crowd.failures))


if __name__ == "__main__":
    sys.exit(main())
