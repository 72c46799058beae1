"""No tenant learns whether another's object exists, and no mode whether the other mode's does.

Driven by the route table: a route without a case fails the first test. Every identifier of tenant A, on every
route and in every parameter that takes one, must be answered as an identifier that nobody ever gave out.
"""

import asyncio
import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from fastpay.api.app import ROUTES
from fastpay.config import Settings
from fastpay.domain.identifiers import Scope
from fastpay.engine.processors.configuration_ports import Secrets
from fastpay.operations.sealing_keys import key_file
from fastpay.store.connections import connected
from fastpay.store.processors import add_processor
from fastpay.store.sealing import Vault, read_keys
from tests.http.isolation_cases import CASES, FILTERS, NAMES, REQUIRED, Case
from tests.support.api import TRUST
from tests.support.engine import CLOCK
from tests.support.refusals import Database
from tests.support.servers import RunningServer, fetch, run_fastpay
from tests.support.settling import file_of, row
from tests.support.tenants import Tenant, make_tenant


@dataclass(frozen=True)
class World:
    """What tenant A has, what the asking tenant has of its own, and with which key it asks."""

    http: httpx.Client
    theirs: Mapping[str, str]
    own: Mapping[str, str]
    key: str


def ask(http: httpx.Client, key: str, wanted: Case, identifiers: Mapping[str, str]) -> httpx.Response:
    path = wanted.path.format(**identifiers)
    fields = {name: value.format(**identifiers) for name, value in wanted.fields.items()}
    headers = {"Authorization": f"Bearer {key}"}
    if wanted.method == "POST":
        return http.post(path, data=fields, headers=headers)
    return http.request(wanted.method, path, params=fields, headers=headers)


def furnish(http: httpx.Client, key: str) -> dict[str, str]:
    """Make one object of each kind and return their identifiers."""

    def post(path: str, **fields: Any) -> Any:
        answer = http.post(path, data=fields, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    customer = post("/v1/customers", **{"metadata[owner]": "a"})
    method = post("/v1/payment_methods/pm_card_visa/attach", customer=customer["id"])
    intent = post(
        "/v1/payment_intents",
        amount="2000",
        currency="usd",
        customer=customer["id"],
        payment_method=method["id"],
        confirm="true",
    )
    refund = post("/v1/refunds", payment_intent=intent["id"], amount="500")
    accepted = {"mandate_data[customer_acceptance][type]": "offline"}
    setup = post(
        "/v1/setup_intents", customer=customer["id"], payment_method=method["id"], confirm="true", **accepted
    )
    ready = {"payment_method": "pm_card_bypassPending", "confirm": "true"}
    post("/v1/payment_intents", amount="50", currency="usd", **ready)
    connected = post("/v1/accounts", country="US")["id"]
    transfer = post("/v1/transfers", amount="10", currency="usd", destination=connected)["id"]
    endpoint = {"url": "https://receiver.example/", "enabled_events[]": "topup.created"}
    receiver = post("/v1/webhook_endpoints", **endpoint)["id"]
    sold = post(
        "/v1/payment_intents",
        amount="500",
        currency="usd",
        application_fee_amount="50",
        **{"transfer_data[destination]": connected, "expand[]": "latest_charge"},
        **ready,
    )
    fee = sold["latest_charge"]["application_fee"]
    return {
        "fee": fee,
        "fr": post(f"/v1/application_fees/{fee}/refunds", amount="5")["id"],
        "acct": connected,
        "we": receiver,
        "wrp": post(f"/v1/webhook_endpoints/{receiver}/replay", from_sequence="1")["id"],
        "tr": transfer,
        "trr": post(f"/v1/transfers/{transfer}/reversals", amount="5")["id"],
        "newseti": post("/v1/setup_intents")["id"],
        "tok": post(
            "/v1/tokens",
            **{"card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2034"},
        )["id"],
        "ctoken": post("/v1/test_helpers/confirmation_tokens", payment_method="pm_card_visa")["id"],
        "card": post(f"/v1/customers/{customer['id']}/sources", source="tok_visa")["id"],
        "seti": setup["id"],
        "setatt": setup["latest_attempt"],
        "mandate": setup["mandate"],
        "open": post("/v1/payment_intents", amount="5", currency="usd")["id"],
        "cus": customer["id"],
        "ccsbtxn": fund(http, key, customer["id"]),
        "pm": method["id"],
        "pi": intent["id"],
        "secret": intent["client_secret"],
        "ch": intent["latest_charge"],
        "re": refund["id"],
        "po": post("/v1/payouts", amount="5", currency="usd")["id"],
        "txn": refund["balance_transaction"],
        "evt": http.get("/v1/events", headers={"Authorization": f"Bearer {key}"}).json()["data"][0]["id"],
        **furnish_ledger(http, key),
        "dp": dispute(http, key),
    }


def fund(http: httpx.Client, key: str, customer: str) -> str:
    """Receive a bank transfer of a customer, and return the transaction."""
    path = f"/v1/test_helpers/customers/{customer}/fund_cash_balance"
    form = {"amount": "5", "currency": "usd"}
    answer = http.post(path, data=form, headers={"Authorization": f"Bearer {key}"})
    return str(answer.raise_for_status().json()["id"])


def dispute(http: httpx.Client, key: str) -> str:
    """Make a dispute, which takes its money out of what is available, and return its identifier."""
    headers = {"Authorization": f"Bearer {key}"}
    paid = {"amount": "40", "currency": "usd", "payment_method": "pm_card_createDispute", "confirm": "true"}
    assert http.post("/v1/payment_intents", data=paid, headers=headers).status_code == 200
    return str(http.get("/v1/disputes", headers=headers).json()["data"][0]["id"])


def furnish_ledger(http: httpx.Client, key: str) -> dict[str, str]:
    """Open two accounts and hold something between them."""
    headers = {"Authorization": f"Bearer {key}"}

    def post(path: str, **fields: str) -> str:
        answer = http.post(f"/v1/ledger/{path}", data=fields, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    first, second = (post("accounts", code="x", currency="usd", normal_side="credit") for _ in "ab")
    hold = post("transfers", debit_account=first, credit_account=second, amount="5", hold="true")
    item = {"debit_account": first, "credit_account": second, "amount": "5"}
    batch = post("batches", **{f"transfers[0][{name}]": value for name, value in item.items()})
    return {"lacc": first, "lacc2": second, "ltr": hold, "lbat": batch, "lent": hold.replace("ltr", "lent")}


def settle(server: RunningServer, tenant: Tenant, place: Path) -> dict[str, str]:
    """Import a settlement of one row in test mode, make an attempt, and return them and the row."""

    keys = key_file(Settings(data_dir=str(server.data_dir)))
    assert keys is not None

    async def configure() -> str:
        async with connected(server.database_url) as connection:
            await add_processor(
                connection,
                Scope(tenant.tenant_id.hex, livemode=False),
                name="acquirer",
                kind="stripe",
                url="https://acquirer.example",
                secrets=Secrets(secret="sk_of_the_upstream"),
                vault=Vault(read_keys(keys), clock=CLOCK),
                clock=CLOCK,
            )
            name: str = await connection.fetchval(
                "select name from tenant where tenant_id = $1", tenant.tenant_id
            )
            return name

    file = place / f"{tenant.tenant_id}.csv"
    file.write_bytes(file_of(row(f"att_{'9' * 32}")))
    command = ("settle", "acquirer", str(file), "--tenant", asyncio.run(configure()), "--mode", "test")
    done = run_fastpay("processors", *command, environment={"FASTPAY_DATABASE_URL": server.database_url})
    assert done.returncode == 0, done.stdout + done.stderr
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    path = f"{server.url}/v1/processors/settlements"
    (settlement,) = httpx.get(path, headers=headers, verify=TRUST).json()["data"]
    (shown,) = httpx.get(f"{path}/{settlement['id']}/rows", headers=headers, verify=TRUST).json()["data"]
    # One of the cards in test mode whose payments have attempts.
    paid = {"amount": "20", "currency": "usd", "payment_method": "pm_card_answerRepeated", "confirm": "true"}
    form = {**paid, "expand[]": "fastpay.attempts"}
    payments = f"{server.url}/v1/payment_intents"
    payment = httpx.post(payments, data=form, headers=headers, verify=TRUST).json()
    (attempt,) = payment["fastpay"]["attempts"]["data"]
    return {"stl": settlement["id"], "stlr": shown["id"], "att": attempt["id"]}


def furnish_live(http: httpx.Client, key: str) -> dict[str, str]:
    """Make what live mode can have, and for the rest take identifiers that nobody has."""
    headers = {"Authorization": f"Bearer {key}"}
    customer = http.post("/v1/customers", headers=headers).json()
    event = http.get("/v1/events", headers=headers).json()["data"][0]
    intent = http.post("/v1/payment_intents", data={"amount": "5", "currency": "usd"}, headers=headers).json()
    setup = http.post("/v1/setup_intents", headers=headers).json()
    connected = http.post("/v1/accounts", data={"country": "US"}, headers=headers).json()
    endpoint = {"url": "https://receiver.example/", "enabled_events[]": "topup.created"}
    receiver = http.post("/v1/webhook_endpoints", data=endpoint, headers=headers).json()
    made = {
        "acct": connected["id"],
        "we": receiver["id"],
        "cus": customer["id"],
        "open": intent["id"],
        "pi": intent["id"],
        "newseti": setup["id"],
        "seti": setup["id"],
        "evt": event["id"],
        **furnish_ledger(http, key),
    }
    return {name: unknown(name, 7) for name in NAMES} | made


def unknown(prefix: str, digit: int = 1) -> str:
    """Return an identifier of the right form that nobody has."""
    return f"{prefix}_01{digit:030x}"


@pytest.fixture(scope="module", params=["another tenant", "the live mode of the same tenant"])
def world(
    request: pytest.FixtureRequest,
    server: RunningServer,
    http: httpx.Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    owner = make_tenant(server.database_url)
    place = tmp_path_factory.mktemp("settlements")
    theirs = furnish(http, owner.secret) | settle(server, owner, place)
    # Time has nothing left to do.
    with contextlib.closing(Database(server.database_url)) as database:
        database.counts()
    before = table_contents(server, owner)
    if request.param == "another tenant":
        other = make_tenant(server.database_url)
        own = furnish(http, other.secret) | settle(server, other, place)
        yield World(http, theirs, own, other.secret)
    else:
        yield World(http, theirs, furnish_live(http, owner.live_secret), owner.live_secret)
    # Whatever was asked, nothing of tenant A's has changed.
    assert table_contents(server, owner) == before


def table_contents(server: RunningServer, tenant: Tenant) -> list[Any]:
    """Return all versions of the test objects of a tenant, and its accounts."""
    versions = fetch(
        server.database_url,
        "select object_id, version, snapshot from object_version where tenant_id = $1 and not livemode "
        "order by object_id, version",
        tenant.tenant_id,
    )
    accounts = fetch(
        server.database_url,
        "select * from account where tenant_id = $1 and not livemode order by account_id",
        tenant.tenant_id,
    )
    return [tuple(row) for row in (*versions, *accounts)]


def named(wanted: Case) -> list[str]:
    text = wanted.path + "".join(wanted.fields.values())
    return [name for name in NAMES if f"{{{name}}}" in text]


def label(wanted: Case) -> str:
    return " ".join((wanted.method, wanted.path, *wanted.fields))


def same(first: httpx.Response, second: httpx.Response, replaced: Mapping[str, str]) -> None:
    """Hold two answers against each other, byte for byte but for the identifiers asked for."""
    text, expected = first.text, second.text
    for theirs, nobodys in replaced.items():
        # A source is known by its payment method, which has its digits.
        for prefix in ("card_", "pm_"):
            text = text.replace(theirs.replace("card_", prefix), nobodys.replace("card_", prefix))
    assert (first.status_code, text) == (second.status_code, expected)
    headers = [
        {name: value for name, value in answer.headers.items() if name not in {"request-id", "date"}}
        for answer in (first, second)
    ]
    assert headers[0] == headers[1]


def test_every_route_has_a_case() -> None:
    """A new route belongs here on the day it is served, and each of its placeholders with it."""
    covered = {(wanted.method, wanted.route) for wanted in CASES}
    assert covered == {(route.method, route.path) for route in ROUTES}
    for wanted in CASES:
        assert len(re.findall(r"{\w+}", wanted.route)) == len(re.findall(r"{\w+}", wanted.path))


@pytest.mark.parametrize("wanted", [wanted for wanted in CASES if named(wanted)], ids=label)
def test_anothers_object_is_answered_as_one_that_nobody_has(world: World, wanted: Case) -> None:
    for name in named(wanted):
        theirs = ask(world.http, world.key, wanted, {**world.own, name: world.theirs[name]})
        nobodys = ask(world.http, world.key, wanted, {**world.own, name: unknown(name)})
        same(theirs, nobodys, {world.theirs[name]: unknown(name)})
        is_only = len(named(wanted)) == 1
        is_filter = wanted.method == "GET" and any(
            f"{{{name}}}" in wanted.fields.get(field, "") for field in FILTERS
        )
        if is_filter:
            assert theirs.status_code == 200
            assert theirs.json()["data"] == []
        elif f"{{{name}}}" in wanted.path:
            assert theirs.status_code == 404
        else:
            assert theirs.status_code in {400, 404}
        if is_only and not is_filter:
            assert theirs.json()["error"]["code"] == "resource_missing"
    nobodys_all = {name: unknown(name) for name in NAMES}
    nobodys_all |= {"open": unknown("pi", 2), "newseti": unknown("seti", 2), "lacc2": unknown("lacc", 2)}
    nobodys_all["acct"] = unknown("acct")
    everything = ask(world.http, world.key, wanted, world.theirs)
    nothing = ask(world.http, world.key, wanted, nobodys_all)
    same(everything, nothing, {world.theirs[name]: nobodys_all[name] for name in nobodys_all})
    assert everything.status_code in {200, 400, 404}


@pytest.mark.parametrize(
    "path", sorted({route.path for route in ROUTES if route.method == "GET" and "{" not in route.path})
)
def test_a_list_holds_nothing_of_anothers(world: World, path: str) -> None:
    query = {"query": "metadata['owner']:'a'"} if path.endswith("/search") else REQUIRED.get(path, {})
    answer = world.http.get(path, params=query, headers={"Authorization": f"Bearer {world.key}"})
    assert answer.status_code == 200
    for identifier in world.theirs.values():
        assert identifier not in answer.text
        assert identifier[-32:] not in answer.text


@pytest.mark.parametrize("name", NAMES)
def test_an_identifier_of_another_kind_is_as_unknown_as_any(world: World, name: str) -> None:
    """The digits of tenant A's objects under the prefixes of other kinds open nothing either."""
    paths = {wanted.path for wanted in CASES if wanted.method == "GET" and wanted.path.endswith("}")}
    single = sorted(path for path in paths if path.count("{") == 1)
    assert single
    headers = {"Authorization": f"Bearer {world.key}"}
    for path in single:
        prefix = path[path.index("{") + 1 : -1]
        disguised = prefix + world.theirs[name][-33:]
        answer = world.http.get(path.format(**{prefix: disguised}), headers=headers)
        nobodys = world.http.get(path.format(**{prefix: unknown(prefix)}), headers=headers)
        same(answer, nobodys, {disguised: unknown(prefix)})
        assert answer.status_code == (403 if prefix == "acct" else 404)


def test_a_client_secret_opens_nothing_with_a_strangers_key(world: World, server: RunningServer) -> None:
    stranger = make_tenant(server.database_url)
    secret = {"client_secret": world.theirs["secret"]}
    for key in (stranger.publishable, stranger.live_publishable, world.key):
        headers = {"Authorization": f"Bearer {key}"}
        theirs = world.http.get(f"/v1/payment_intents/{world.theirs['pi']}", params=secret, headers=headers)
        nobodys = world.http.get(f"/v1/payment_intents/{unknown('pi')}", params=secret, headers=headers)
        same(theirs, nobodys, {world.theirs["pi"]: unknown("pi")})
        assert theirs.status_code == 404
