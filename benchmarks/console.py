"""How long does the console take for one payment with a hundred events?

Run: python -m benchmarks.console [--refunds 50] [--pages 30]

Over HTTP, one page at a time, against a server that does nothing else. The time of its process is what the
kernel counts for it. The time of the answer includes the database.
"""

import asyncio
import json
import os
import time
from pathlib import Path
from statistics import median

import click
import httpx
import msgspec
import pyotp

from benchmarks.load.machine import Database, Machine, empty_database, run_machine
from benchmarks.load.serving import free_port, serve
from fastpay.clock import SystemClock
from fastpay.store.connections import connected
from fastpay.store.roster import Roster

_PASSWORD = "correct horse battery"
_FIRST_INSTANCE = 200


class Found(msgspec.Struct, frozen=True):
    """Medians in milliseconds, of a payment with so many events."""

    events: int
    process_ms: float
    answer_ms: float


@click.command()
@click.option(
    "--refunds", default=50, show_default=True, help="Refunds of the payment, with two events each."
)
@click.option("--pages", default=30, show_default=True, help="How often the page is opened.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(refunds: int, pages: int, directory: str) -> None:
    """Open the page of one payment again and again."""
    with (
        run_machine(directory, database_url=None, redis_url=None) as machine,
        empty_database(machine, "bench_console", tenants=1) as database,
    ):
        found = measure(machine, database, refunds=refunds, pages=pages)
    print(
        f"{found.events} events: {found.process_ms:.1f} ms of the server's process, "
        f"answered after {found.answer_ms:.1f} ms"
    )


def measure(machine: Machine, database: Database, *, refunds: int, pages: int) -> Found:
    """Make a payment, and open its page so many times."""
    with serve(
        "fastpay",
        database_url=database.url,
        redis_url=machine.redis_url,
        directory=machine.directory,
        port=free_port(),
        instance=_FIRST_INSTANCE,
    ) as target:
        ready = json.loads((machine.directory / f"fastpay.{_FIRST_INSTANCE}.ready.json").read_text("utf-8"))
        payment, events = _pay(ready["url"], database.keys[0], refunds)
        with httpx.Client(base_url=ready["admin_url"], timeout=60, trust_env=False) as client:
            headers = {"Cookie": _join(client, database.url, ready["admin_url"])}
            page = client.get(f"/console/?q={payment}", headers=headers).headers["location"]
            client.get(page, headers=headers).raise_for_status()
            process, answers = [], []
            for _ in range(pages):
                before, begun = _spent_ms(target.pid), time.monotonic()
                client.get(page, headers=headers).raise_for_status()
                answers.append((time.monotonic() - begun) * 1000)
                process.append(_spent_ms(target.pid) - before)
    # The kernel counts in ticks of ten milliseconds, so that only the mean says something.
    return Found(events, sum(process) / len(process), median(answers))


def _pay(url: str, key: str, refunds: int) -> tuple[str, int]:
    """Return a payment with refunds, and the number of its events."""
    headers = {"Authorization": f"Bearer {key}"}
    paid = {
        "amount": "90000",
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": "true",
        "payment_method_types[]": "card",
    }
    with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
        made = client.post("/v1/payment_intents", data=paid).raise_for_status().json()
        for _ in range(refunds):
            refund = {"payment_intent": made["id"], "amount": "100"}
            client.post("/v1/refunds", data=refund).raise_for_status()
        events, more = 0, {"limit": "100"}
        while True:
            listed = client.get("/v1/events", params=more).raise_for_status().json()
            events += len(listed["data"])
            if not listed["has_more"]:
                return made["id"], events
            more["starting_after"] = listed["data"][-1]["id"]


def _join(client: httpx.Client, database_url: str, origin: str) -> str:
    """Return the cookie of a new operator."""

    async def invite() -> str | None:
        async with connected(database_url) as connection:
            return await Roster(connection.fetch, SystemClock()).invite("benchmark", "bench", "view")

    path = f"/console/invitation/{asyncio.run(invite())}"
    secret = client.get(path).text.partition("<dd><code>")[2].partition("<")[0]
    form = {"password": _PASSWORD, "code": pyotp.TOTP(secret).now()}
    joined = client.post(path, data=form, headers={"Origin": origin})
    return joined.headers["set-cookie"].partition(";")[0]


def _spent_ms(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
