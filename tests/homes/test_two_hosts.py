"""Two hosts, as network namespaces with a cable between them: forwarding over TLS, and a cut cable."""

import asyncio
import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.homes.test_over_http import PAY, check_paid, home_of, wait_for
from tests.support.servers import NUMBERS, PATIENCE_SECONDS, RunningServer, SpawnServer, fetch
from tests.support.tenants import Tenant, make_tenant

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="network namespaces need root and ip (iproute2)"
)

Host = tuple[str, str]


def run(*words: str) -> None:
    """Run a command that must succeed."""
    subprocess.run(words, check=True, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """Two namespaces, each with its address."""
    number = next(NUMBERS)
    made = [(f"fastpay-{os.getpid()}-{number}-{side}", f"10.99.{number % 250}.{side}") for side in (1, 2)]
    try:
        for name, _ in made:
            run("ip", "netns", "add", name)
        cable = [f"type veth peer name e netns {made[1][0]}".split(), []]
        run("ip", "-n", made[0][0], "link", "add", "e", *cable[0])
        for name, address in made:
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "e")
            run("ip", "-n", name, "link", "set", "e", "up")
        yield made[0], made[1]
    finally:
        for name, _ in made:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def forwarded(database_url: str) -> int:
    """Return how many commands all live instances have forwarded."""
    found = fetch(database_url, "select sum((report ->> 'homes_forwarded')::int) as count from member")
    return found[0]["count"] or 0


def test_instances_on_two_hosts_help_each_other_and_a_cut_cable_loses_and_doubles_nothing(
    hosts: tuple[Host, Host], spawn_server: SpawnServer, scratch: Path, database_url: str
) -> None:
    keys = scratch / f"sealing{next(NUMBERS)}.keys"
    keys.write_text(base64.b64encode(os.urandom(32)).decode())
    keys.chmod(0o600)
    sockets: dict[RunningServer, Path] = {}
    for name, address in hosts:
        socket = scratch / f"http{next(NUMBERS)}.sock"
        environment = {
            "FASTPAY_DATABASE_URL": database_url,
            "FASTPAY_SEALING_KEY_FILE": str(keys),
            "FASTPAY_HOMES_ADDRESS": f"{address}:7000",
            "FASTPAY_UNIX": str(socket),
        }
        sockets[spawn_server(environment=environment, prefix=("ip", "netns", "exec", name), wait=False)] = (
            socket
        )
    for server in sockets:
        server.wait_ready()
    tenant = make_tenant(database_url)
    _, asked = home_of(tenant, *sockets)
    answers: list[httpx.Response] = []
    pay(sockets[asked], tenant, answers)
    wait_for(lambda: forwarded(database_url) >= 1)
    run("ip", "-n", hosts[0][0], "link", "set", "e", "down")
    for _ in range(3):
        pay(sockets[asked], tenant, answers)
    run("ip", "-n", hosts[0][0], "link", "set", "e", "up")
    before = forwarded(database_url)

    def is_forwarded() -> bool:
        pay(sockets[asked], tenant, answers)
        return forwarded(database_url) > before + 1

    wait_for(is_forwarded)
    check_paid(database_url, answers)


def pay(socket: Path, tenant: Tenant, answers: list[httpx.Response]) -> None:
    """Pay by four clients at once, without keys."""

    async def work() -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        headers = {"Authorization": f"Bearer {tenant.secret}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://host", headers=headers, timeout=PATIENCE_SECONDS
        ) as http:
            answers.extend(
                await asyncio.gather(*(http.post("/v1/payment_intents", data=PAY) for _ in range(4)))
            )

    asyncio.run(work())
