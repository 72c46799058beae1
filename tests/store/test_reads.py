"""Lists, page by page in both directions, against the same done by hand."""

import itertools
from collections.abc import Sequence

import pytest

from fastpay.domain.customers import CreateCustomer, DeleteCustomer, UpdateCustomer
from fastpay.domain.identifiers import HIGHEST, LOWEST, Scope, digits
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.payment_intents import CreatePaymentIntent, UpdatePaymentIntent
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.ports import Filter, Page
from fastpay.errors import DatabaseUnavailable
from fastpay.store.tables import TABLES
from tests.support.engine import Engine, engine, make_tenant, read_objects
from tests.support.world import card


async def make_customers(instance: Engine, scope: Scope, count: int, **fields: object) -> list[str]:
    """Make customers and return their identifiers, newest first."""
    made = [(await instance.do(CreateCustomer(fields=fields), scope)).id for _ in range(count)]
    return made[::-1]


async def listed(instance: Engine, scope: Scope, wanted: Filter, page: Page) -> list[str]:
    """Return the identifiers that a list shows."""
    return [versioned.object.id for versioned in await instance.reads.list_objects(scope, wanted, page)]


def expected(all_of_them: Sequence[str], page: Page) -> list[str]:
    """Do by hand what the statement does."""
    between = [one for one in all_of_them if page.above < digits(one) < page.below]
    return between[-page.limit - 1 :] if page.ascending else between[: page.limit + 1]


async def test_every_page_in_both_directions_is_what_it_would_be_by_hand(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        all_of_them = await make_customers(instance, scope, 7)
        bounds = [HIGHEST, *map(digits, all_of_them), LOWEST]
        places = itertools.product((1, 3, 10), (False, True), bounds, (LOWEST, bounds[3], bounds[-2]))
        for limit, ascending, below, above in places:
            page = Page(limit=limit, below=below, above=above, ascending=ascending)
            assert await listed(instance, scope, Filter(kind="cus"), page) == expected(all_of_them, page)


async def test_a_deleted_customer_is_in_no_list_and_still_readable(database_url: str) -> None:
    scope = await make_tenant(database_url)
    by_email = Filter(kind="cus", values=(("email", "a@example.com"),))
    async with engine(database_url) as instance:
        one, two, three = await make_customers(instance, scope, 3, email="a@example.com")
        await instance.do(DeleteCustomer(id=two), scope)
        for wanted in (Filter(kind="cus"), by_email):
            for ascending in (False, True):
                page = Page(limit=10, ascending=ascending)
                assert await listed(instance, scope, wanted, page) == [one, three]
        (found,) = await read_objects(instance.reads, scope, [two])
        assert found.version == 2


async def test_a_customer_is_found_by_the_email_it_has_now(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        (customer,) = await make_customers(instance, scope, 1, email="old@example.com")
        await instance.do(UpdateCustomer(id=customer, fields={"email": "new@example.com"}), scope)
        found = {
            email: await listed(
                instance, scope, Filter(kind="cus", values=(("email", email),)), Page(limit=10)
            )
            for email in ("old@example.com", "new@example.com", "NEW@example.com")
        }
    assert found == {"old@example.com": [], "new@example.com": [customer], "NEW@example.com": []}


async def test_a_payment_is_listed_under_the_customer_it_has_now(database_url: str) -> None:
    scope = await make_tenant(database_url)
    create = CreatePaymentIntent(amount=5, currency="usd", secret="s", payment_method=card())
    async with engine(database_url) as instance:
        one, other = await make_customers(instance, scope, 2)
        intents = [(await instance.do(create, scope)).id for _ in range(2)]
        for customer in (one, other):
            for intent in intents:
                await instance.do(UpdatePaymentIntent(id=intent, fields={"customer": customer}), scope)
        found = [
            await listed(instance, scope, Filter(kind="pi", values=(("customer", customer),)), Page(limit=5))
            for customer in (one, other)
        ]
    assert found == [[], intents[::-1]]


async def test_reads_say_that_the_database_is_away(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        assert await read_objects(instance.reads, scope, ["cus_" + "0" * 32]) == []
        await instance.pool.close()
        await instance.scan_pool.close()
        with pytest.raises(DatabaseUnavailable):
            await read_objects(instance.reads, scope, ["cus_" + "0" * 32])
        with pytest.raises(DatabaseUnavailable):
            await instance.reads.verify(scope)


async def test_verification_finds_a_counter_and_a_payment_that_were_tampered_with(database_url: str) -> None:
    scope = await make_tenant(database_url)
    pay = CreatePaymentIntent(amount=1000, currency="usd", secret="s", payment_method=card(), confirm=True)
    async with engine(database_url) as instance:
        intent = await instance.do(pay, scope)
        assert (await instance.reads.verify(scope)).problems == ()
        async with instance.pool.lend() as connection:
            await connection.execute(
                "update account set credits_posted = credits_posted + 1 where code = 'fees'"
            )
            await connection.execute("update payment_intent set amount_received = 999")
        problems = (await instance.reads.verify(scope)).problems
    assert problems == (
        "The accounts in usd do not add up to zero.",
        "The counters of fees in usd differ from its transfers.",
        f"{intent.id} has amount_received 999, the ledger has 1000.",
    )


async def test_verification_finds_versions_that_were_tampered_with(database_url: str) -> None:
    """Writes do not check that a version exists: it would cost them an index lookup each."""
    scope = await make_tenant(database_url)
    pay = CreatePaymentIntent(amount=1000, currency="usd", secret="s", payment_method=card(), confirm=True)
    heads = [table.name for table in TABLES.values() if table.has_heads]
    async with engine(database_url) as instance:
        intent = await instance.do(pay, scope)
        await instance.do(CreateRefund(payment_intent=intent.id), scope)
        await instance.do(CreateCustomer(fields={}), scope)
        async with instance.pool.lend() as connection:
            found = [await connection.fetchval(f"select {head}_id from {head}") for head in heads]
            for head in heads:
                await connection.execute(f"update {head} set version = 7")
            identifiers = [one for one in found if one is not None]
            event_id = await connection.fetchval(
                "insert into event select tenant_id, livemode, sequence + 20, gen_random_uuid(), type, "
                "object_id, 9, request_id, created_at from event where sequence = 1 returning event_id"
            )
        problems = (await instance.reads.verify(scope)).problems
    assert problems[-1] == f"evt_{event_id.hex} is at version 9, which does not exist."
    assert len(problems) == len(identifiers) + 1 == 6
    for identifier, problem in zip(identifiers, problems, strict=False):
        assert f"_{identifier.hex} is at version 7, which is not the latest one, " in problem


async def test_the_lists_of_many_objects_are_those_of_each(database_url: str) -> None:
    scope = await make_tenant(database_url)
    other = Scope(scope.tenant_id, not scope.livemode)
    async with engine(database_url) as instance:
        paid = []
        for count in range(4):
            command = CreatePaymentIntent(
                amount=2000, currency="usd", secret="s", payment_method=card(), confirm=True
            )
            intent = await instance.do(command, scope)
            assert isinstance(intent, PaymentIntent)
            assert intent.latest_charge is not None
            paid.append(intent.latest_charge)
            for _ in range(count):
                await instance.do(CreateRefund(charge=intent.latest_charge, amount=1), scope)
        alone = [
            await instance.reads.list_objects(
                scope, Filter(kind="re", values=(("charge", charge),)), Page(limit=9)
            )
            for charge in paid
        ]
        for limit in (1, 2, 10):
            bounds = [(charge, HIGHEST) for charge in paid]
            found = await instance.reads.list_each(scope, "re", "charge", bounds, limit)
            assert found == [refunds[:limit] for refunds in alone]
        below = [
            (charge, digits(refunds[0].object.id))
            for charge, refunds in zip(paid, alone, strict=True)
            if refunds
        ]
        found = await instance.reads.list_each(scope, "re", "charge", below, 10)
        assert found == [refunds[1:] for refunds in alone if refunds]
        assert await instance.reads.list_each(other, "re", "charge", below, 10) == [[], [], []]
