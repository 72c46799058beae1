"""One tenant floods the server with what is expensive: what the others are answered meanwhile."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fastpay import limits
from tests.attacks.requests import Answer, Request, send, statuses
from tests.support.servers import RunningServer, running_server
from tests.support.tenants import Tenant, make_tenant

PAYMENT = "amount=500&currency=usd&payment_method=pm_card_visa&confirm=true"
MOST = limits.ledger_batch_transfers_max


@dataclass(frozen=True)
class Json(Request):
    """A request with a body in JSON."""

    def encode(self) -> bytes:
        """Return the request as it is sent."""
        return super().encode().replace(b"application/x-www-form-urlencoded", b"application/json", 1)


@pytest.fixture(scope="module")
def running(cluster: Path) -> Iterator[RunningServer]:
    """A server of these tests' own."""
    with running_server("floods", cluster) as running:
        yield running


@pytest.fixture(scope="module")
def attacker(running: RunningServer) -> Tenant:
    """Who floods."""
    return make_tenant(running.database_url)


@pytest.fixture(scope="module")
def victim(running: RunningServer) -> Tenant:
    """Who has nothing to do with it."""
    return make_tenant(running.database_url)


async def batch_of(running: RunningServer, attacker: Tenant, **last: object) -> dict[str, Any]:
    """Return as many transfers as a batch may have, with a change to the last."""
    opened = Request("/v1/ledger/accounts", attacker.secret, "code=flood&currency=usd&normal_side=credit")
    names = [json.loads(answer.body)["id"] for answer in await send(running.url, [opened, opened])]
    transfer = {"debit_account": names[0], "credit_account": names[1], "amount": 1}
    return {"transfers": [transfer] * (MOST - 1) + [{**transfer, **last}]}


async def beside(
    running: RunningServer, victim: Tenant, flood: Sequence[Request], connections: int
) -> tuple[list[Answer], int]:
    """Send a flood; return its answers, and how often others paid and asked for their health meanwhile.

    The others ask for one thing after another, and begin when the flood does.
    """
    flooding = asyncio.create_task(send(running.url, flood, connections=connections))
    answered = 0
    while not flooding.done():
        asked = [Request("/v1/payment_intents", victim.secret, PAYMENT), Request("/healthz", victim.secret)]
        assert statuses(await send(running.url, asked)) == {200: 2}
        answered += 1
    return await flooding, answered


async def test_heavy_batches_on_six_connections_starve_nobody(
    running: RunningServer, attacker: Tenant, victim: Tenant
) -> None:
    """What was seen: nobody else was answered as long as it went on, 14 seconds and more."""
    body = json.dumps(await batch_of(running, attacker))
    flood = [Json("/v1/ledger/batches", attacker.secret, body)] * 12
    answers, answered = await beside(running, victim, flood, 6)
    assert answered >= len(flood)
    # A busy machine may refuse a batch that has waited too long. Sent again, each is carried out.
    refused = statuses(answers).get(503, 0)
    again = await send(running.url, flood[:refused], connections=1)
    assert Counter(statuses(answers) | {503: 0}) + Counter(statuses(again)) == Counter({200: len(flood)})


async def test_a_batch_that_is_invalid_at_its_end_is_refused_by_its_place(
    running: RunningServer, attacker: Tenant, victim: Tenant
) -> None:
    invalid = await batch_of(running, attacker, amount=-1)
    body = json.dumps(invalid, indent=24)
    assert len(body) > 3 << 20
    flood = [Json("/v1/ledger/batches", attacker.secret, body)] * 8
    answers, answered = await beside(running, victim, flood, 4)
    assert statuses(answers) == {400: 8}
    assert {json.loads(answer.body)["error"]["param"] for answer in answers} == {
        f"transfers[{MOST - 1}][amount]"
    }
    assert answered >= 1


async def test_long_forms_take_turns_with_others(
    running: RunningServer, attacker: Tenant, victim: Tenant
) -> None:
    form = "&".join(f"metadata[k{number}]={'%41' * 300}" for number in range(1_000))
    flood = [Request("/v1/customers", attacker.secret, form)] * 40
    answers, answered = await beside(running, victim, flood, 4)
    assert statuses(answers) == {400: 40}
    assert answered >= len(flood) // 5


@pytest.mark.parametrize(
    ("path", "body", "kind", "status", "code"),
    [
        ("/v1/payment_methods", '{"a":[' + "[]," * 150_000 + "[]]}", Json, 400, "parameters_too_many"),
        ("/v1/payment_methods", '{"a":[' + "{}," * 150_000 + "{}]}", Json, 400, "parameters_too_many"),
        ("/v1/payment_methods", '{"a":' + "[" * 400_000, Json, 400, None),
        ("/v1/payment_methods", '{"a":[' + "[]," * 300_000 + "[]]}", Json, 413, None),
        ("/v1/payment_methods", "a=1&" * 100_000, Request, 400, None),
        (
            "/v1/payment_methods",
            "&".join(f"k{at}=1" for at in range(50_000)),
            Request,
            400,
            "parameters_too_many",
        ),
        ("/v1/payment_methods", "a" + "[b]" * 100_000 + "=1", Request, 400, None),
        ("/v1/payment_methods", "&".join(f"expand[]=a{at}" for at in range(900)), Request, 400, None),
        (
            "/v1/ledger/batches",
            '{"transfers":[' + "[]," * 1_000_000 + "[]]}",
            Json,
            400,
            "parameters_too_many",
        ),
    ],
    ids=["arrays", "objects", "deep", "large", "repeated", "fields", "brackets", "expand", "batch"],
)
async def test_what_takes_long_to_read_is_refused_at_its_bound(
    running: RunningServer,
    attacker: Tenant,
    victim: Tenant,
    path: str,
    body: str,
    kind: type[Request],
    status: int,
    code: str | None,
) -> None:
    """A publishable key is anybody's, and may send less."""
    key = attacker.secret if "ledger" in path else attacker.publishable
    # Behind what is too large the connection ends.
    count = 1 if status == 413 else 5
    answers, answered = await beside(running, victim, [kind(path, key, body)] * count, 1)
    assert statuses(answers) == {status: count}
    if code is not None:
        assert {json.loads(answer.body)["error"].get("code") for answer in answers} == {code}
    assert answered >= 1
