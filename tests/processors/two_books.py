"""Two installations with databases of their own, the one being the processor of the other, and their clients.

Between them is a network that fails. Either instance and either PostgreSQL may be killed and started again.
"""

import asyncio
import contextlib
import itertools
import signal
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import httpx

from fastpay.domain.identifiers import Scope
from fastpay.engine.processors.configuration_ports import Kind, Secrets
from fastpay.operations.embedded import children
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.servers import EmbeddedServers
from fastpay.store import processors
from fastpay.store.connections import connected
from fastpay.store.sealing import Vault, make_key, read_keys, render_keys
from tests.processors.two_books_checker import Charge, Payment, Told
from tests.support.api import client_options
from tests.support.engine import CLOCK
from tests.support.servers import PATIENCE_SECONDS, RunningServer, copy_cluster, end_server, free_port
from tests.support.servers import start_server as start
from tests.support.tenants import make_tenant

CLIENTS = 12
PAUSE_S, NOT_SENT_S = 0.3, 1.5
# As long as a server starts.
TRIES = 50
NUMBER, DECLINED = "4242424242424242", {"stripe": "4000000000009979", "localstripe": "4000000000000341"}
# The first inquiry comes after 2 s and the next one after 12 more. A server of ours has carried out what it
# was sent 13.5 s after that, or never will.
TIMEOUT_MS = 2_000
TIMES = {
    "FASTPAY_PROCESSOR_TIMEOUT_MS": str(TIMEOUT_MS),
    "FASTPAY_PROCESSOR_WAIT_MS": "3000",
    "FASTPAY_PROCESSOR_INQUIRY_S": "2",
    "FASTPAY_PROCESSOR_ARRIVAL_S": "14",
}
# So long no attempt needs, whatever happened to its first inquiries.
SETTLED_S = 240


class Installation:
    """A PostgreSQL of its own and one instance, which keeps its port when it is started again."""

    def __init__(self, place: Path, cluster: Path, stack: contextlib.ExitStack, **environment: str) -> None:
        self._place = place
        copy_cluster(cluster, place)
        directory = stack.enter_context(DataDirectory(place))
        servers = EmbeddedServers(directory, with_postgres=True, with_redis=False)
        stack.callback(servers.stop)
        servers.launch()
        servers.wait_ready()
        assert servers.database_url is not None
        assert servers._postgres is not None
        self.database_url = servers.database_url
        self._postgres = servers._postgres
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.key_file = place.with_suffix(".keys")
        self.key_file.touch(mode=0o600)
        self.key_file.write_bytes(render_keys([make_key(CLOCK)]))
        self._environment = {
            "FASTPAY_DATABASE_URL": self.database_url,
            "FASTPAY_SEALING_KEY_FILE": str(self.key_file),
            **environment,
        }
        self.launched: list[RunningServer] = []
        self._launch()
        self.launched[0].wait_ready()
        stack.callback(lambda: end_server(self.launched[-1]))

    async def kill_instance(self) -> None:
        """Kill -9, and start again at once."""
        await asyncio.to_thread(self.launched[-1].kill)
        self._launch()
        await asyncio.to_thread(self.launched[-1].wait_ready)

    async def kill_postgres(self) -> None:
        """Kill -9 the postmaster and all its backends, and start it again at once."""
        for pid in children.living_in(self._postgres.cluster):
            children.send(pid, signal.SIGKILL)
        await asyncio.to_thread(
            children.wait_until, self._postgres.has_ended, timeout_ms=PATIENCE_SECONDS * 1000
        )
        self._postgres.launch()
        await asyncio.to_thread(self._postgres.wait_ready)

    def _launch(self) -> None:
        place, port = self._place.parent, ("--port", str(self._port))
        data_dir = place / f"{self._place.name}-instance"
        self.launched.append(start(data_dir, place, *port, environment=self._environment))


class Shop:
    """Clients of a front installation whose live payments go to a processor."""

    def __init__(self, front: Installation, kind: Kind) -> None:
        self.front = front
        self._kind = kind
        tenant = make_tenant(front.database_url)
        self._scope = Scope(tenant.tenant_id.hex, livemode=True)
        self._http = httpx.AsyncClient(**client_options(front.url, tenant.live_secret, {"timeout": 15}))
        self.told: list[Told] = []
        # How many payments the processor was asked to carry out, as far as clients know.
        self._sent = 0
        self._told = asyncio.Condition()
        self._orders = itertools.count()
        # Orders whose keys have no answer before a minute has passed.
        self._later: list[int] = []
        self._clients: list[asyncio.Task[None]] = []

    async def configure(self, url: str, secrets: Secrets) -> None:
        """Name the processor."""
        async with connected(self.front.database_url) as connection:
            await processors.add_processor(
                connection,
                self._scope,
                name="acquirer",
                kind=self._kind,
                url=url,
                secrets=secrets,
                vault=Vault(read_keys(self.front.key_file), clock=CLOCK),
                clock=CLOCK,
            )

    def begin(self) -> None:
        """Have clients pay one order after the other."""
        self._clients = [asyncio.create_task(self._work()) for _ in range(CLIENTS)]

    async def wait_sent(self, count: int) -> None:
        """Return once the processor was asked to carry out so many payments more."""
        wanted = self._sent + count
        async with self._told:
            await self._told.wait_for(
                lambda: self._sent >= wanted or any(one.done() for one in self._clients)
            )
        for client in self._clients:
            if client.done():
                client.result()

    async def finish(self) -> None:
        """Return once each order has an answer and nothing is in doubt, and ask for each answer again."""
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await self._pay_all(sorted({int(one.order) for one in self.told} | set(self._later)))
        in_doubt = "select attempt_id from attempt where held > 0"
        async with asyncio.timeout(SETTLED_S), connected(self.front.database_url) as connection:
            while await connection.fetch(in_doubt):  # noqa: ASYNC110  it is another process that ends them
                await asyncio.sleep(PAUSE_S)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def payments(self) -> list[Payment]:
        """Return what our books say."""
        async with connected(self.front.database_url) as connection:
            rows = await connection.fetch("select payment_intent_id, attempt_id, status from attempt")
        attempts: dict[str, dict[str, str]] = {}
        for row in rows:
            own = attempts.setdefault(f"pi_{row['payment_intent_id'].hex}", {})
            own[f"att_{row['attempt_id'].hex}"] = row["status"]
        return [
            Payment(
                id=one["id"],
                order=one["metadata"]["order"],
                amount=one["amount"],
                received=one["amount_received"],
                status=one["status"],
                attempts=attempts.get(one["id"], {}),
            )
            for one in await list_payments(self._http)
        ]

    async def problems(self) -> list[str]:
        """Return what the verification of the ledger finds."""
        found = await self._http.get("/v1/ledger/verify")
        return list(found.json()["problems"])

    async def _work(self) -> None:
        for order in self._orders:
            self._later.append(order)
            for _ in range(TRIES):
                told, was_sent = await self._pay(order)
                if told.status:
                    self._later.remove(order)
                    break
                if was_sent:
                    # Its key is in use.
                    break
                await asyncio.sleep(PAUSE_S)
            if was_sent:
                async with self._told:
                    self._sent += 1
                    self._told.notify_all()
            else:
                # Nothing is sent to a processor that has failed often.
                await asyncio.sleep(NOT_SENT_S)

    async def _pay_all(self, orders: Iterable[int]) -> None:
        """Ask for the answers of orders until each has one."""
        left = iter(orders)

        async def work() -> None:
            for order in left:
                while not (await self._pay(order))[0].status:  # noqa: ASYNC110  another process says it
                    await asyncio.sleep(PAUSE_S)

        await asyncio.gather(*(work() for _ in range(CLIENTS)))
        self._later.clear()

    async def _pay(self, order: int) -> tuple[Told, bool]:
        """Send an order, note what was told, and tell whether the processor has certainly been asked."""
        amount = 100 + order
        number = DECLINED[self._kind] if order % 5 == 0 else NUMBER
        form = {
            "amount": str(amount),
            "currency": "usd",
            "confirm": "true",
            "metadata[order]": str(order),
            "payment_method_data[type]": "card",
            "payment_method_data[card][number]": number,
            "payment_method_data[card][exp_month]": "12",
            "payment_method_data[card][exp_year]": "2034",
            "payment_method_data[card][cvc]": "123",
        }
        told, was_sent = Told(str(order), amount), False
        with contextlib.suppress(httpx.HTTPError):
            answer = await self._http.post(
                "/v1/payment_intents", data=form, headers={"Idempotency-Key": f"order {order}"}
            )
            body = answer.json()
            error = body.get("error", {})
            if answer.status_code in {200, 402}:
                intent = error.get("payment_intent", body)
                told = told._replace(payment=intent["id"], status=intent["status"])
            else:
                assert answer.status_code in {409, 429, 500, 502, 503}, answer.text
            was_sent = answer.status_code in {200, 402, 409} and error.get("code") != "processing_error"
        self.told.append(told)
        return told, was_sent


async def list_charges(url: str, secret: str) -> list[Charge]:
    """Return what the books of the processor say."""
    async with httpx.AsyncClient(**client_options(url, secret, {})) as http:
        return [
            Charge(
                order=one["metadata"]["order"],
                reference=one["metadata"]["fastpay_reference"],
                amount=one["amount"],
                # localstripe does not say it of a payment.
                received=one.get("amount_received", one["amount"]),
                status=one["status"],
            )
            for one in await list_payments(http)
        ]


async def list_payments(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return all payments of a key."""
    found: list[dict[str, Any]] = []
    async for page in _pages(http):
        found += page
    return found


async def _pages(http: httpx.AsyncClient) -> AsyncIterator[list[dict[str, Any]]]:
    more: dict[str, str] = {}
    while True:
        answer = (await http.get("/v1/payment_intents", params={"limit": "100", **more})).json()
        yield answer["data"]
        if not answer["has_more"]:
            return
        more = {"starting_after": answer["data"][-1]["id"]}
