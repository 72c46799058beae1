"""Clients of a bank in a process of their own, and the check of everything that they were told."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastpay.store import rows
from fastpay.store.connections import connected
from tests.bank import deliveries, history
from tests.bank.checker import check
from tests.bank.history import Change, Operation
from tests.support.api import open_async_client
from tests.support.books import find_database_faults
from tests.support.receiver import Receiver
from tests.support.servers import PATIENCE_SECONDS, RunningServer
from tests.support.tree import ROOT

# What an instance never logs, whatever happens to it.
ALARMS = ("batch_failed", "request_failed", "command_failed", "command_refused", "relay_record_failed")
# Endpoints that are enabled, and what each of them has not received.
_BEHIND = """
select webhook_endpoint.webhook_endpoint_id, (
    webhook_progress.position is null or webhook_progress.position < book.sequence or exists (
        select from webhook_exception as parked
        where parked.webhook_endpoint_id = webhook_endpoint.webhook_endpoint_id
    )
) as is_behind
from webhook_endpoint
join book using (tenant_id, livemode)
left join webhook_progress using (tenant_id, livemode, webhook_endpoint_id)
where webhook_endpoint.status = 'enabled'
"""


class Clients:
    """Clients of one tenant, and the history that they write until they are told to finish.

    With a receiver some of them have webhook endpoints.
    """

    def __init__(
        self, database_url: str, key: str, folder: Path, seed: int, *, receiver: Receiver | None = None
    ) -> None:
        self.database_url = database_url
        self.key = key
        self.history = folder / "history.jsonl"
        self.history.touch()
        self._receiver = receiver
        # Endpoints that earlier clients have left: for the next ones to delete.
        self._left: list[str] = []
        self._seed = seed
        self._started = 0
        self._processes: list[subprocess.Popen[bytes]] = []
        self._seen = 0

    def start(self, urls: list[str], count: int) -> None:
        """Start so many new clients of these instances."""
        options = {
            "history": self.history,
            "key": self.key,
            "clients": count,
            "first": self._started,
            "seed": self._seed,
        }
        if self._receiver is not None:
            options["receiver"] = self._receiver.url
        self._started += count
        arguments = [f"--{name}={value}" for name, value in options.items()]
        arguments += [f"--left={endpoint}" for endpoint in self._left]
        self._processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.bank.client", *arguments, *urls],
                cwd=ROOT,
                stdin=subprocess.PIPE,
            )
        )

    async def finish(self) -> None:
        """Let every client wait for its last response, and end."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            assert await asyncio.to_thread(process.wait, 2 * PATIENCE_SECONDS) == 0
        self._processes = []

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    async def wait_answered(self, count: int) -> None:
        """Return when so many more requests have succeeded."""
        self._answered()
        answered = 0
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            while answered < count:
                assert all(process.poll() is None for process in self._processes)
                await asyncio.sleep(0.02)
                answered += self._answered()

    def _answered(self) -> int:
        """Return how many requests have succeeded since the last call."""
        with open(self.history, "rb") as file:
            file.seek(self._seen)
            more = file.read()
        self._seen += len(more)
        return more.count(b'"result":"ok"')

    async def wait_delivered(self) -> None:
        """Return once every endpoint that is enabled has received everything."""
        async with asyncio.timeout(2 * PATIENCE_SECONDS), connected(self.database_url) as connection:
            while True:
                found = await connection.fetch(_BEHIND)
                if not any(row["is_behind"] for row in found):
                    break
                await asyncio.sleep(0.1)
        self._left = [f"we_{row['webhook_endpoint_id'].hex}" for row in found]

    def operations(self) -> list[Operation]:
        """Return what clients wrote down."""
        return history.read(self.history)

    async def changes(self) -> list[Change]:
        """Return every event in the order of the sequence, with what the object at that version says."""
        async with connected(self.database_url) as connection:
            events = await connection.fetch("select * from event order by sequence")
            written = {
                (row["object_id"], row["version"]): rows.versioned(row).object
                for row in await connection.fetch("select * from object_version")
            }
        return [_change(event, written[event["object_id"], event["version"]]) for event in events]

    async def find_faults(self, servers: list[RunningServer]) -> list[str]:
        """Check the history, the database, the last server's balance, and all logs. Finish first."""
        async with open_async_client(servers[-1].url, self.key) as http:
            answer = await http.get("/v1/balance")
        assert answer.status_code == 200, answer.text
        balance = sum(money["amount"] for money in answer.json()["pending"])
        operations, changes = self.operations(), await self.changes()
        complete = {one.hook for one in operations if one.endpoint in self._left}
        received = [] if self._receiver is None else deliveries.read(self._receiver.log)
        return [
            *check(operations, changes, balance=balance),
            *deliveries.check(operations, changes, received, complete=complete),
            *await find_database_faults(self.database_url),
            *(
                f"alarm: {line}"
                for server in servers
                for line in server.output.splitlines()
                if any(alarm in line for alarm in ALARMS)
            ),
        ]


# What these are about has the metadata of the request that made it.
_TOLD = ("customer.", "ledger.connected_account.", "payment_intent.", "refund.")


def _change(event: Any, stored: Any) -> Change:
    """Return an event as the checker wants it: not every object tells what was asked for."""
    amount = getattr(stored, "amount", 0)
    key: Callable[[str], str] = str
    if event["type"].startswith("payment_intent."):
        amount = stored.amount_received or stored.amount
        if event["type"] == "payment_intent.canceled":
            key = history.cancel_key
        elif event["type"] == "payment_intent.succeeded" and stored.customer is not None:
            key = history.fund_key
    is_told = event["type"].startswith(_TOLD)
    return Change(
        sequence=event["sequence"],
        request_id=event["request_id"],
        type=event["type"],
        key=key(stored.metadata.get("order", "")) if is_told else "",
        amount=amount if is_told or event["type"] == "transfer.created" else 0,
    )
