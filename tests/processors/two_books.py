"""Two installations with databases of their own, the one being the processor of the other, and their clients.

Between them is a network that fails. Either instance and either PostgreSQL may be killed and started again.
"""

import asyncio
import contextlib
import itertools
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

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
# What is done to an order after its payment, in turns.
STEPS = ("", "refund", "capture", "cancel")
NUMBER, DECLINED = "4242424242424242", {"stripe": "4000000000009979", "localstripe": "4000000000000341"}
# The first inquiry comes after 3 s and the next one after 18 more. An order is sent within 5 s, and a server
# of ours has carried out what it was sent 13.5 s after that, or never will.
TIMEOUT_MS = 2_000
TIMES = {
    "FASTPAY_PROCESSOR_TIMEOUT_MS": str(TIMEOUT_MS),
    "FASTPAY_PROCESSOR_WAIT_MS": "3000",
    "FASTPAY_PROCESSOR_INQUIRY_S": "3",
    "FASTPAY_PROCESSOR_ARRIVAL_S": "20",
}
# So long no attempt needs: after three inquiries that failed the next one comes 453 s after its beginning.
SETTLED_S = 600


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


class Errand(NamedTuple):
    """A step of an order: one request, sent until it is answered. Only the first one names no payment."""

    order: int
    step: str = "pay"
    payment: str = ""


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
        self._errands: dict[Errand, None] = {}
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
        await self._do_all(self._errands)
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
            rows = await connection.fetch(
                "select payment_intent_id, attempt_id, operation, status from attempt"
            )
        attempts: dict[tuple[str, str], dict[str, str]] = {}
        for row in rows:
            own = attempts.setdefault((f"pi_{row['payment_intent_id'].hex}", row["operation"]), {})
            own[f"att_{row['attempt_id'].hex}"] = row["status"]
        return [
            Payment(
                id=one["id"],
                order=one["metadata"]["order"],
                amount=one["amount"],
                received=one["amount_received"],
                status=one["status"],
                attempts=attempts.get((one["id"], "authorize"), {}),
                refunds=attempts.get((one["id"], "refund"), {}),
            )
            for one in await list_all(self._http, "/v1/payment_intents")
        ]

    async def problems(self) -> list[str]:
        """Return what the verification of the ledger finds."""
        found = await self._http.get("/v1/ledger/verify")
        return list(found.json()["problems"])

    async def _work(self) -> None:
        for order in self._orders:
            told, was_sent = await self._do(Errand(order))
            step = STEPS[order % len(STEPS)]
            if step and told.status in {"succeeded", "requires_capture"}:
                await self._do(Errand(order, step, told.payment))
            if was_sent:
                async with self._told:
                    self._sent += 1
                    self._told.notify_all()
            else:
                # Nothing is sent to a processor that has failed often.
                await asyncio.sleep(NOT_SENT_S)

    async def _do(self, errand: Errand) -> tuple[Told, bool]:
        """Send a request until there is an answer, or its key is in use: that may last for a minute."""
        self._errands[errand] = None
        for _ in range(TRIES):
            told, was_sent = await self._send(errand)
            if told.status or was_sent:
                break
            await asyncio.sleep(PAUSE_S)
        return told, was_sent

    async def _do_all(self, errands: Iterable[Errand]) -> None:
        """Send requests until each of them is answered."""
        left = iter(errands)

        async def work() -> None:
            for errand in left:
                while not (await self._send(errand))[0].status:  # noqa: ASYNC110  another process says it
                    await asyncio.sleep(PAUSE_S)

        await asyncio.gather(*(work() for _ in range(CLIENTS)))

    async def _send(self, errand: Errand) -> tuple[Told, bool]:
        """Send a request, note what was told, and tell whether the processor has certainly been asked."""
        told, was_sent = Told(str(errand.order), errand.step, 100 + errand.order, errand.payment), False
        path, form = self._request(errand, told.amount)
        with contextlib.suppress(httpx.HTTPError):
            key = f"{errand.step} {errand.order}"
            answer = await self._http.post(path, data=form, headers={"Idempotency-Key": key})
            body = answer.json()
            error = body.get("error", {})
            if answer.status_code == 200:
                payment = body["payment_intent"] if errand.step == "refund" else body["id"]
                told = told._replace(payment=payment, status=body["status"])
            elif answer.status_code == 402:
                intent = error["payment_intent"]
                status = intent["status"] if errand.step == "pay" else "refused"
                told = told._replace(payment=intent["id"], status=status)
            else:
                assert answer.status_code in {409, 429, 500, 502, 503}, answer.text
            was_sent = answer.status_code in {200, 402, 409} and error.get("code") != "processing_error"
        self.told.append(told)
        return told, was_sent

    def _request(self, errand: Errand, amount: int) -> tuple[str, dict[str, str]]:
        """Return the path and the form of a request."""
        if errand.step == "refund":
            return "/v1/refunds", {"payment_intent": errand.payment, "amount": str(amount // 2)}
        if errand.step != "pay":
            return f"/v1/payment_intents/{errand.payment}/{errand.step}", {}
        is_manual = STEPS[errand.order % len(STEPS)] in {"capture", "cancel"}
        return "/v1/payment_intents", {
            "amount": str(amount),
            "currency": "usd",
            "confirm": "true",
            "capture_method": "manual" if is_manual else "automatic",
            "metadata[order]": str(errand.order),
            "payment_method_data[type]": "card",
            "payment_method_data[card][number]": DECLINED[self._kind] if errand.order % 5 == 0 else NUMBER,
            "payment_method_data[card][exp_month]": "12",
            "payment_method_data[card][exp_year]": "2034",
            "payment_method_data[card][cvc]": "123",
        }


async def list_charges(http: httpx.AsyncClient) -> list[Charge]:
    """Return the payments in the books of the processor."""
    return [
        Charge(
            order=one["metadata"]["order"],
            reference=one["metadata"]["fastpay_reference"],
            amount=one["amount"],
            # localstripe does not say it of a payment.
            received=one.get("amount_received", one["amount"] if one["status"] == "succeeded" else 0),
            status=one["status"],
        )
        for one in await list_all(http, "/v1/payment_intents")
    ]


async def list_refunds(http: httpx.AsyncClient) -> list[str]:
    """Return the references of what the processor has refunded."""
    listed = await list_all(http, "/v1/refunds")
    return [one["metadata"]["fastpay_reference"] for one in listed if one["status"] == "succeeded"]


async def list_all(http: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    """Return all objects of a list."""
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        page = (await http.get(path, params={"limit": "100", **more})).json()
        found += page["data"]
        if not page["has_more"]:
            return found
        more = {"starting_after": page["data"][-1]["id"]}
