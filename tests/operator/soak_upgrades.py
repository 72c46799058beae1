"""Twenty upgrades in a row while clients pay: `python -m tests.operator.soak_upgrades`, part of `make soak`.

Clients pay at a fixed rate over connections that they keep or open anew, over HTTP/1.1 and HTTP/2, first with
TLS and then without. Every fifth newcomer crashes, at its start or when it has nearly started, and every
seventh hangs until it is ended. Afterwards the history of the clients is held against the database: each
acknowledged payment is there once, with its amount and its events, and nothing else. No client may have seen
a failure, and no connection may have been refused.

Prints what each kind of client saw, and ends with status 1 if anything is wrong.
"""

import argparse
import asyncio
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import httpx
import msgspec

from benchmarks.samples import FEES
from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.store.migrate import migrate
from tests.bank.checker import check
from tests.bank.clients import Clients
from tests.bank.history import Operation
from tests.operator.paced_clients import Seen
from tests.support.books import find_database_faults
from tests.support.doors import Certificate, make_certificate
from tests.support.servers import RunningServer
from tests.support.tenants import make_tenant
from tests.support.tree import ROOT
from tests.support.upgrades import Installation, pid_of, running_installation, upgrade, wait_ended

_PROCESSES = 2
# Newcomers that start under a load take a while; one that hangs is ended after this time.
_UPGRADE_TIMEOUT_MS = 45_000
_MEMORY_BYTES_MIN = 8 << 30
# How many of each kind of fault are printed.
_SHOWN_MAX = 20


def main() -> int:
    """Run it, and return the status of the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how many upgrades")
    parser.add_argument("--rate", type=float, default=500, help="how many payments a second")
    parser.add_argument("--doors", choices=["TLS", "plain", "both"], default="both")
    arguments = parser.parse_args()
    faults: list[str] = []
    for door in ("TLS", "plain") if arguments.doors == "both" else (arguments.doors,):
        # PostgreSQL runs as another user, who must pass through.
        # In memory where there is room: a disk that others use stands still for seconds at times.
        place = "/dev/shm" if shutil.disk_usage("/dev/shm").free > _MEMORY_BYTES_MIN else None
        with tempfile.TemporaryDirectory(
            prefix="fastpay-upgrades-", dir=place, ignore_cleanup_errors=True
        ) as name:
            scratch = Path(name)
            scratch.chmod(0o711)
            certificate = make_certificate(scratch) if door == "TLS" else None
            with (
                DataDirectory(scratch / "servers") as directory,
                run_servers(directory, with_postgres=True, with_redis=True) as servers,
            ):
                servers.wait_ready()
                assert servers.database_url is not None
                assert servers.redis_url is not None
                asyncio.run(migrate(servers.database_url))
                soak = Soak(scratch, servers.database_url, servers.redis_url, certificate)
                found = soak.play(arguments.times, arguments.rate)
        print("\n".join(found) or f"{door}: no fault", flush=True)  # noqa: T201
        faults += found
    return 1 if faults else 0


class Soak:
    """One instance that is replaced again and again, and the clients before it."""

    def __init__(
        self, scratch: Path, database_url: str, redis_url: str, certificate: Certificate | None
    ) -> None:
        self._scratch = scratch
        self._database_url = database_url
        self._certificate = certificate
        self._installation = Installation(scratch, Path(sys.executable).with_name("fastpay"))
        self._environment = {
            "FASTPAY_DATABASE_URL": database_url,
            "FASTPAY_REDIS_URL": redis_url,
            # Both protocols in compiled code, or no start.
            "FASTPAY_HTTP2_ENGINE": "native",
            "FASTPAY_UPGRADE_TIMEOUT_MS": str(_UPGRADE_TIMEOUT_MS),
            "FASTPAY_ADDRESS_CONNECTIONS_PER_SECOND": "100000",
            "FASTPAY_ADDRESS_HANDSHAKES_PER_SECOND": "100000",
        }
        self._secret = make_tenant(database_url, FEES).secret
        self._history = Clients(database_url, self._secret, scratch, seed=0)
        self._outcomes: dict[str, int] = {}

    def play(self, times: int, rate: float) -> list[str]:
        """Upgrade so many times under this rate; return all faults."""
        made, data = self._certificate, self._scratch / "data"
        tls = () if made is None else ("--tls-cert", str(made.cert), "--tls-key", str(made.key))
        with running_installation(
            self._installation, data, self._scratch, *tls, environment=self._environment
        ) as running:
            processes = [self._start_clients(running.url, rate, number) for number in range(_PROCESSES)]
            faults = list(self._upgrade(running, times))
            seen = [self._finish_clients(number, process) for number, process in enumerate(processes)]
            operations = self._history.operations()
            seconds = (operations[-1].ended_ns - operations[0].ended_ns) / 1e9
            self._print(seen, seconds, "plain" if made is None else "TLS")
            failed = [fault for own in seen for one in own.values() for fault in one.faults]
            if failed:
                faults += [*failed[:_SHOWN_MAX], running.output]
            faults += self._check(running.url, operations)
        return faults

    def _start_clients(self, url: str, rate: float, number: int) -> "subprocess.Popen[bytes]":
        options = {
            "secret": self._secret,
            "rate": rate / _PROCESSES,
            "first": number * 1_000,
            "file": self._history.history,
            "seen": self._seen_file(number),
        }
        if self._certificate is not None:
            options["cafile"] = self._certificate.cert
        arguments = [f"--{name}={value}" for name, value in options.items()]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.operator.paced_clients", *arguments, url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
        )

    def _finish_clients(self, number: int, process: "subprocess.Popen[bytes]") -> dict[str, Seen]:
        process.communicate()
        assert process.returncode == 0
        return msgspec.json.decode(self._seen_file(number).read_bytes(), type=dict[str, Seen])

    def _seen_file(self, number: int) -> Path:
        return self._scratch / f"seen{number}.json"

    def _upgrade(self, running: RunningServer, times: int) -> Iterable[str]:
        for number in range(1, times + 1):
            outcome = self._install(number)
            old = pid_of(running)
            began = time.monotonic()
            status, said = upgrade(running)
            took_s = time.monotonic() - began
            if status != (0 if outcome == "served" else 1):
                yield f"upgrade {number}, which should have {outcome}: {said}"
            if status == 0:
                wait_ended(old, running)
            self._outcomes[outcome] = self._outcomes.get(outcome, 0) + 1
            left_s = time.monotonic() - began - took_s
            print(  # noqa: T201
                f"upgrade {number}: newcomer {outcome} in {took_s:.1f} s, old process left in {left_s:.1f} s",
                flush=True,
            )

    def _install(self, number: int) -> str:
        """Install the next program; return what becomes of it."""
        if number % 7 == 0:
            self._installation.plant("hangs", "exec sleep 600")
            return "hung"
        if number % 10 == 0:
            self._installation.plant("crashes", "exit 3")
            return "crashed"
        if number % 5 == 0:
            self._installation.plant_late_death("dies")
            return "crashed"
        self._installation.install()
        return "served"

    def _print(self, seen: list[dict[str, Seen]], seconds: float, door: str) -> None:
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in self._outcomes.items())
        total = sum(one.payments for own in seen for one in own.values())
        lines = [
            "",
            f"{door}: {sum(self._outcomes.values())} upgrades ({outcomes}) in {seconds:.0f} s, "
            f"{total} payments, {total / seconds:.0f} a second",
            "",
            "| clients | number | payments | connections | sent again after GOAWAY | refused | failed |"
            " median | 99 % | longest |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for name in seen[0]:
            one = _sum(own[name] for own in seen)
            opened = str(one.connections) if one.connections else ""
            again = str(one.sent_again) if "httpx" not in name and "HTTP/2" in name else ""
            counts = (one.clients, one.payments, opened, again, one.refused, one.failed)
            times = sorted(one.times_ms) or [0.0]
            quantiles = [times[int(len(times) * part)] for part in (0.5, 0.99)] + [times[-1]]
            cells = [name, *map(str, counts), *(f"{value:.0f} ms" for value in quantiles)]
            lines.append(f"| {' | '.join(cells)} |")
        print("\n".join([*lines, ""]), flush=True)  # noqa: T201

    def _check(self, url: str, operations: list[Operation]) -> list[str]:
        """Hold the history against the database and against the balance that the server shows."""
        made = self._certificate
        trust = True if made is None else ssl.create_default_context(cafile=made.cert)
        answer = httpx.get(f"{url}/v1/balance", auth=(self._secret, ""), verify=trust, timeout=60)
        balance = sum(money["amount"] for money in answer.json()["pending"])
        faults = check(operations, asyncio.run(self._history.changes()), balance=balance)
        faults += asyncio.run(find_database_faults(self._database_url))
        print(f"{len(operations)} requests in the history, {len(faults)} faults")  # noqa: T201
        return faults[:_SHOWN_MAX]


def _sum(parts: Iterable[Seen]) -> Seen:
    whole = Seen()
    for part in parts:
        whole.clients += part.clients
        whole.payments += part.payments
        whole.connections += part.connections
        whole.sent_again += part.sent_again
        whole.refused += part.refused
        whole.failed += part.failed
        whole.times_ms = whole.times_ms + part.times_ms
    return whole


if __name__ == "__main__":
    sys.exit(main())
