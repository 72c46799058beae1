"""No statement that reads for one tenant, or in one mode, finds anything of another's."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from fastpay.api.search import parse
from fastpay.domain import kinds
from fastpay.domain.application_fees import ApplicationFee, RefundApplicationFee
from fastpay.domain.cash_balances import FundCashBalance
from fastpay.domain.charging import Terms
from fastpay.domain.connected_accounts import CreateConnectedAccount
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.disputes import CreateDispute
from fastpay.domain.identifiers import HIGHEST, Scope
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_transfers import CreateLedgerTransfer
from fastpay.domain.payment_intents import CreatePaymentIntent
from fastpay.domain.payment_methods import AttachPaymentMethod
from fastpay.domain.payouts import CreatePayout
from fastpay.domain.plan import Command
from fastpay.domain.processor_objects import Attempt, Route
from fastpay.domain.refunds import CreateRefund
from fastpay.domain.settlements import BeginMatching
from fastpay.domain.setup_intents import CreateSetupIntent
from fastpay.domain.transfers import CreateTransfer, ReverseTransfer
from fastpay.domain.webhook_endpoints import CreateEndpoint, ReplayEvents
from fastpay.engine.ports import Filter, Page
from fastpay.store import tables
from fastpay.store.connections import connected
from fastpay.store.reads import PostgresReads
from tests.support.engine import Engine, engine, make_tenant, read_objects, read_transfers, read_versions
from tests.support.world import PAY, card


class Loot:
    """All identifiers that a tenant has, and what lists of it can be asked by."""

    def __init__(self) -> None:
        self.objects: list[str] = []
        self.transfers: list[str] = []
        self.filters: list[Filter] = []


async def fill(instance: Engine, database_url: str, scope: Scope) -> Loot:
    """Give a tenant one of everything."""
    customer = (await instance.do(CreateCustomer(fields={"email": "a@example.com"}), scope)).id
    method = (await instance.do(AttachPaymentMethod(payment_method=card(), customer=customer), scope)).id
    command = CreatePaymentIntent(
        amount=1000,
        currency="usd",
        secret="s",
        fields={"transfer_group": "g"},
        customer=customer,
        payment_method=method,
        confirm=True,
    )
    intent = await instance.do(command, scope)
    refund: Any = await instance.do(CreateRefund(payment_intent=intent.id, amount=500), scope)
    opening = CreateLedgerAccount(currency="usd", code="wallet", normal_side="C")
    debit, credit = [(await instance.do(opening, scope)).id for _ in range(2)]
    await instance.do(CreateLedgerTransfer(debit_account=debit, credit_account=credit, amount=5), scope)
    values = {
        "customer": customer,
        "payment_intent": intent.id,
        "charge": refund.charge,
        "email": "a@example.com",
        "code": "wallet",
        "payment_method": method,
        **await fill_more(instance, database_url, scope, customer, method, refund.charge),
    }
    loot = Loot()
    loot.filters = [
        Filter(
            kind=kind,
            values=tuple(
                # Two kinds have another one of what several are asked by.
                (column.attribute, values.get(f"{kind} {column.attribute}") or values[column.attribute])
                for column in filters
            ),
        )
        for kind, table in tables.BY_PREFIX.items()
        # There is no balance until money is released, and no list of balances. Only live mode has attempts,
        # which have a test of their own.
        if kind not in {"bal", Attempt.prefix}
        for filters in table.filter_combinations()
    ]
    async with connected(database_url) as connection:
        versions = await read_versions(connection, scope)
        loot.objects = [versioned.object.id for versioned in versions]
        loot.transfers = [transfer.id for transfer in await read_transfers(connection, scope)]
    return loot


async def fill_more(
    instance: Engine, database_url: str, scope: Scope, customer: str, method: str, charge: str
) -> dict[str, str]:
    """Give a tenant what lists that are newer than payments show; return what they can be asked by."""
    setup = CreateSetupIntent(secret="s", customer=customer, payment_method=method, confirm=True)
    intent = await instance.do(setup, scope)
    own = f"stl_{intent.id[-32:-4]}beef"
    settling = BeginMatching(id=own, processor="acquirer", currency="usd", file="0" * 64)
    await instance.do(settling, scope)
    await instance.do(
        CreatePaymentIntent(
            amount=100, currency="usd", secret="s", payment_method=card("bypassPending"), confirm=True
        ),
        scope,
    )
    await instance.do(
        CreatePayout(amount=10, currency="usd", step_s=3600, fields={"destination": "b"}), scope
    )
    destination = (await instance.do(CreateConnectedAccount(), scope)).id
    grouped = {"transfer_group": "g"}
    sent = CreateTransfer(currency="usd", destination=destination, amount=10, fields=grouped)
    transfer = (await instance.do(sent, scope)).id
    await instance.do(ReverseTransfer(id=transfer, amount=5), scope)
    await instance.do(CreateDispute(charge=charge), scope)
    await instance.do(FundCashBalance(customer=customer, amount=5, currency="usd"), scope)
    split = {"destination": destination, "application_fee_amount": 9}
    sale = CreatePaymentIntent(
        amount=100, currency="usd", secret="s", payment_method=card(), confirm=True, extras=split
    )
    await instance.do(sale, scope)
    async with connected(database_url) as connection:
        fee = next(
            versioned.object
            for versioned in await read_versions(connection, scope)
            if isinstance(versioned.object, ApplicationFee)
        )
    await instance.do(RefundApplicationFee(id=fee.id), scope)
    address = {"url": "https://example.com", "enabled_events": ("*",)}
    endpoint = (await instance.do(CreateEndpoint(salt="s", fields=address), scope)).id
    await instance.do(ReplayEvents(id=endpoint, from_sequence=1), scope)
    return {
        "fee": fee.id,
        "fee charge": fee.charge,
        "po destination": "b",
        "webhook_endpoint": endpoint,
        "setup_intent": intent.id,
        "status": "pending",
        "processor": "acquirer",
        "destination": destination,
        "transfer_group": "g",
        "transfer": transfer,
    }


PAGES = (Page(limit=10), Page(limit=10, ascending=True))
# Led by nothing, by terms and by amounts.
SEARCHES = (
    ("cus", "-email:'x'"),
    ("cus", "email:'a@example.com'"),
    ("pi", "created>0"),
    ("pi", "currency:'usd'"),
    ("ch", "amount>5"),
    ("ch", "status:'succeeded' OR -status:'failed'"),
)
# Every way to read, by the name of its method; a new one without a case fails the test.
WAYS: dict[str, Callable[[PostgresReads, Scope, Loot], list[Awaitable[Any]]]] = {
    "read_latest": lambda own, scope, loot: [latest(own, scope, loot)],
    "read_sequences": lambda own, scope, loot: [sequences(own, scope)],
    "get_objects_at": lambda own, scope, loot: [own.get_objects_at(scope, loot.objects, 2**60)],
    "get_transfers": lambda own, scope, loot: [own.get_transfers(scope, loot.transfers)],
    "list_objects": lambda own, scope, loot: [
        own.list_objects(scope, wanted, page) for wanted in loot.filters for page in PAGES
    ],
    "list_each": lambda own, scope, loot: [each(own, scope, loot)],
    "search": lambda own, scope, loot: [
        own.search(scope, parse(text, kinds.KINDS[kind]), Page(limit=10)) for kind, text in SEARCHES
    ],
    "list_accounts": lambda own, scope, loot: [own.list_accounts(scope)],
    "verify": lambda own, scope, loot: [balances(own, scope)],
}


async def balances(own: PostgresReads, scope: Scope) -> tuple[Any, ...]:
    """Return the trial balances."""
    return (await own.verify(scope)).balances


async def latest(own: PostgresReads, scope: Scope, loot: Loot) -> list[Any]:
    """Return the objects of a reading."""
    reading = await own.read_latest([(scope, identifier) for identifier in loot.objects])
    assert list(reading.sequences) == [scope]
    return reading.objects


async def each(own: PostgresReads, scope: Scope, loot: Loot) -> list[Any]:
    """Return the refunds of the loot's charge."""
    charge = next(identifier for identifier in loot.objects if identifier.startswith("ch_"))
    (refunds,) = await own.list_each(scope, "re", "charge", [(charge, HIGHEST)], 5)
    return refunds


async def sequences(own: PostgresReads, scope: Scope) -> list[int]:
    """Return the sequence of a tenant that has come further than its beginning."""
    return [sequence for sequence in (await own.read_sequences([scope])).values() if sequence]


def test_every_way_to_read_has_a_case() -> None:
    ways = {name for name, _ in inspect.getmembers(PostgresReads, inspect.isfunction) if name[0] != "_"}
    # What runs any statement that it is given.
    given = {"fetch", "fetch_for", "fetch_thoroughly"}
    # Nobody's: the database's identity, its place in the log, the time, the installation's key. A tenant that
    # has nothing has a profile: see tests/http/test_accounts.py.
    nobodys = {"identify", "read_moment", "read_position", "seal_key"}
    assert ways == {*WAYS, *given, *nobodys, "read_profile"}


@pytest.mark.parametrize("session_state", [True, False])
async def test_what_one_tenant_has_no_other_tenant_or_mode_finds(
    database_url: str, session_state: bool
) -> None:
    owner = await make_tenant(database_url, "owner")
    empty = await make_tenant(database_url, "empty")
    rich = await make_tenant(database_url, "rich")
    async with engine(database_url, session_state=session_state) as instance:
        loot = await fill(instance, database_url, owner)
        own = await fill(instance, database_url, rich)
        for way, ask in WAYS.items():
            for question in ask(instance.reads, owner, loot):
                assert len(await question) > 0, way
            for stranger in (empty, owner._replace(livemode=True)):
                for question in ask(instance.reads, stranger, loot):
                    assert len(await question) == 0, way
        stolen = await read_objects(instance.reads, rich, loot.objects + own.objects)
        assert {versioned.object.id for versioned in stolen} == set(own.objects)


async def test_the_attempts_of_a_live_payment_are_its_tenants_own(database_url: str) -> None:
    owner, other = [
        (await make_tenant(database_url, name))._replace(livemode=True) for name in ("owner", "other")
    ]
    route = Route(processor="acquirer", reference=f"{Attempt.prefix}_{1:032x}", wait_ms=0, inquiry_s=5)
    async with engine(database_url) as instance:
        paid = await instance.do(msgspec.structs.replace(PAY, terms=Terms(route=route)), owner)
        wanted = Filter(kind=Attempt.prefix, values=(("payment_intent", paid.id),))
        for scope in (owner, other, owner._replace(livemode=False)):
            for page in PAGES:
                found = await instance.reads.list_objects(scope, wanted, page)
                assert len(found) == (scope == owner)


async def test_no_command_reaches_another_tenants_objects(database_url: str) -> None:
    owner, thief = await make_tenant(database_url, "owner"), await make_tenant(database_url, "thief")
    async with engine(database_url) as instance:
        loot = await fill(instance, database_url, owner)
        by_kind = {identifier.partition("_")[0]: identifier for identifier in loot.objects}
        commands: list[Command] = [
            CreateRefund(payment_intent=by_kind["pi"]),
            CreateRefund(charge=by_kind["ch"]),
            AttachPaymentMethod(payment_method=by_kind["pm"], customer=by_kind["cus"]),
            CreatePaymentIntent(
                amount=1, currency="usd", secret="s", payment_method=by_kind["pm"], confirm=True
            ),
            CreatePaymentIntent(amount=1, currency="usd", secret="s", customer=by_kind["cus"]),
        ]
        outcomes = [await instance.submit(command, thief) for command in commands]
    errors = [outcome.answer.error for outcome in outcomes]
    assert [error and error.status for error in errors] == [404] * len(commands)
