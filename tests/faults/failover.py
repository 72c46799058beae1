"""Failovers of a Patroni under load: `python -m tests.faults.failover`, part of `make soak`.

In the strict synchronous mode the primary is killed, cut off, and cut off after it has lost its standbys.
Every acknowledged payment must be there afterwards, once. What clients saw is printed: which errors, and for
how long nobody was paid. Then the last of these is done without synchronous mode, and what is lost is
printed.

Clients send a request again, with the same idempotency key, until it is answered with 200.
"""

import asyncio
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx

from fastpay.store.migrate import migrate
from tests.faults.failover_world import PROGRAMS, Member, World, find_missing, running_world
from tests.support.books import find_database_faults
from tests.support.servers import end_server, fetch, start_server
from tests.support.tenants import make_tenant

CLIENTS = 12
PAUSE_S = 0.04
# Payments before a fault, and after it.
PAYMENTS = 200
PAY = {"amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}


class Clients:
    """Who pays all the time, and notes what it was told."""

    def __init__(self, url: str, secret: str) -> None:
        self._url, self._secret = url, secret
        self._tasks: list[asyncio.Task[None]] = []
        self._is_ending = False
        # The payment of each key that was acknowledged, and when.
        self.paid: dict[str, str] = {}
        self.moments: list[float] = []
        self.seen: Counter[str] = Counter()

    def start(self) -> None:
        """Begin to pay."""
        self._tasks = [asyncio.create_task(self._keep_paying(number)) for number in range(CLIENTS)]

    async def wait_paid(self, more: int) -> None:
        """Return once so many more payments were acknowledged."""
        until = len(self.paid) + more
        async with asyncio.timeout(180):
            while len(self.paid) < until:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def finish(self) -> None:
        """Return once each has got the answer that it waits for."""
        self._is_ending = True
        async with asyncio.timeout(180):
            await asyncio.gather(*self._tasks)

    def longest_gap_s(self, since: float) -> float:
        """Return for how long nobody was paid at most."""
        moments = [since, *(moment for moment in self.moments if moment > since)]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    async def _keep_paying(self, number: int) -> None:
        async with httpx.AsyncClient(base_url=self._url, auth=(self._secret, ""), timeout=15) as http:
            count = 0
            while not self._is_ending:
                key = f"{number}-{(count := count + 1)}"
                while not await self._pay(http, key):  # noqa: ASYNC110
                    await asyncio.sleep(0.25)
                await asyncio.sleep(PAUSE_S)

    async def _pay(self, http: httpx.AsyncClient, key: str) -> bool:
        try:
            answer = await http.post("/v1/payment_intents", data=PAY, headers={"Idempotency-Key": key})
        except httpx.TransportError as error:
            self.seen[type(error).__name__] += 1
            return False
        if answer.status_code != 200:
            self.seen[f"{answer.status_code} {answer.json()['error'].get('code')}"] += 1
            return False
        self.paid[key] = answer.json()["id"]
        self.moments.append(time.monotonic())
        return True


async def kill(world: World, clients: Clients) -> Callable[[], None]:
    """Kill the primary. It is started again later."""
    primary = world.primary()
    await asyncio.to_thread(primary.kill)
    return primary.start


async def cut(world: World, clients: Clients) -> Callable[[], None]:
    """Cut the primary off from all others. It is connected again later."""
    primary = world.primary()
    primary.cut()
    return lambda: primary.cut(is_off=False)


async def cut_late(world: World, clients: Clients) -> Callable[[], None]:
    """Cut the primary off from its standbys, and after two seconds of payments from all others."""
    primary = world.primary()
    others = [member for member in world.members if member is not primary]
    for other in others:
        primary.cut_from(other)
    await asyncio.sleep(2)
    await asyncio.to_thread(primary.kill)

    def mend() -> None:
        for other in others:
            primary.cut_from(other, is_off=False)
        primary.start()

    return mend


FAULTS = {"the primary is killed": kill, "it is cut off": cut, "it loses its standbys, then dies": cut_late}


async def play(world: World, url: str, secret: str, *, is_strict: bool, names: list[str]) -> list[str]:
    """Do these faults one after the other under load; print what happened, and return what is wrong."""
    clients = Clients(url, secret)
    clients.start()
    await clients.wait_paid(PAYMENTS)
    for name in names:
        clients.seen.clear()
        began, before = time.monotonic(), len(clients.paid)
        old = world.primary()
        mend = await FAULTS[name](world, clients)
        await _wait_replaced(world, old)
        await clients.wait_paid(PAYMENTS)
        gap_s = clients.longest_gap_s(began)
        seen = ", ".join(f"{count} {what}" for what, count in clients.seen.most_common()) or "nothing"
        paid = len(clients.paid) - before
        print(f"{name}: nobody was paid for {gap_s:.1f} s; clients saw {seen}; {paid} payments")  # noqa: T201
        mend()
        await asyncio.to_thread(world.wait_whole, is_strict=is_strict)
    await clients.finish()
    return await asyncio.to_thread(compare, world, clients)


async def _wait_replaced(world: World, old: Member) -> None:
    async with asyncio.timeout(120):
        while True:
            roles = await asyncio.to_thread(world.roles)
            if any(role == "leader" and name != old.name for name, role in roles.items()):
                return
            await asyncio.sleep(0.5)


def compare(world: World, clients: Clients) -> list[str]:
    """Hold what clients were told against the database."""
    rows = fetch(
        world.database_url, "select payment_intent_id from payment_intent where status = 'succeeded'"
    )
    stored, told = {f"pi_{row[0].hex}" for row in rows}, set(clients.paid.values())
    print(f"{len(told)} acknowledged, {len(stored)} stored, {len(told - stored)} lost")  # noqa: T201
    faults = [f"lost: {payment}" for payment in sorted(told - stored)]
    faults += [f"nobody was told of {payment}" for payment in sorted(stored - told)]
    return faults + asyncio.run(find_database_faults(world.database_url))


def run(scratch: Path, *, is_strict: bool, names: list[str]) -> list[str]:
    """Make the world in one mode, and return what is wrong after the faults."""
    with running_world(scratch, is_strict=is_strict) as world:
        asyncio.run(migrate(world.database_url))
        secret = make_tenant(world.database_url).secret
        environment = {"FASTPAY_DATABASE_URL": world.database_url}
        running = start_server(scratch / "fastpay", scratch, environment=environment)
        try:
            running.wait_ready()
            return asyncio.run(play(world, running.url, secret, is_strict=is_strict, names=names))
        finally:
            end_server(running)


def main() -> int:
    """Return 0 if the strict mode has lost nothing, and the other one something."""
    missing = find_missing()
    if missing or os.geteuid() != 0:
        print(f"did not run: needs root and {', '.join(PROGRAMS)}; missing: {missing}")  # noqa: T201
        return 1
    faults: list[str] = []
    last = list(FAULTS)[-1]
    for is_strict, names in ((True, list(FAULTS)), (False, [last])):
        scratch = Path(tempfile.mkdtemp(prefix="fastpay-failover-"))
        scratch.chmod(0o711)
        try:
            print("strict synchronous mode" if is_strict else "without synchronous mode", flush=True)  # noqa: T201
            found = run(scratch, is_strict=is_strict, names=names)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if is_strict:
            faults += found
        elif not any(fault.startswith("lost") for fault in found):
            faults.append("without synchronous mode nothing was lost: this shows nothing")
    print("\n".join(faults) or "strict mode: no fault")  # noqa: T201
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
