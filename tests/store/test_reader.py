"""The reader on a real database: how often it asks, and what two instances show of each other's commits."""

import asyncio
import random
from collections.abc import Sequence

from fastpay.domain.customers import CreateCustomer, UpdateCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import Customer
from fastpay.domain.plan import Versioned
from fastpay.engine.ports import Reading
from fastpay.store.connections import connected
from fastpay.store.pool import ReaderPool
from fastpay.store.reads import PostgresReads
from tests.support.engine import Engine, engine, make_tenant

LONG_MS = 60_000
SHORT_MS = 40


class CountedReads(PostgresReads):
    """Counts the statements that reach the database."""

    def __init__(self, pool: ReaderPool, scan_pool: ReaderPool) -> None:
        super().__init__(pool, scan_pool)
        self.statements: list[int] = []

    async def read_latest(self, wanted: Sequence[tuple[Scope, str]]) -> Reading:
        """Note for how many objects."""
        self.statements.append(len(wanted))
        return await super().read_latest(wanted)


def count_reads(instance: Engine) -> list[int]:
    """Count from now on what an instance reads, as the numbers of objects that statements are for."""
    counted = CountedReads(instance.pool, instance.scan_pool)
    instance.reader._missed._store = counted
    return counted.statements


def name_of(found: Versioned | None) -> str | None:
    """Return a customer's name."""
    if found is None:
        return None
    assert isinstance(found.object, Customer)
    return found.object.name


async def make_customers(instance: Engine, scope: Scope, count: int) -> list[str]:
    """Make customers and return their identifiers."""
    made = await asyncio.gather(
        *(instance.do(CreateCustomer(fields={"name": f"name {number}"}), scope) for number in range(count))
    )
    return [one.id for one in made]


async def rename(instance: Engine, scope: Scope, identifier: str, name: str) -> None:
    """Commit another name."""
    await instance.do(UpdateCustomer(id=identifier, fields={"name": name}), scope)


async def test_a_thousand_reads_of_one_cold_object_are_one_select(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as writing, engine(database_url) as instance:
        (customer,) = await make_customers(writing, scope, 1)
        statements = count_reads(instance)
        found = await asyncio.gather(*(instance.reader.get(scope, customer) for _ in range(1_000)))
    assert {name_of(one) for one in found} == {"name 0"}
    assert statements == [1]


async def test_a_thousand_cold_objects_of_two_tenants_are_one_select(database_url: str) -> None:
    scopes = [await make_tenant(database_url, name) for name in ("one", "other")]
    async with engine(database_url) as writing, engine(database_url) as instance:
        made = {scope: await make_customers(writing, scope, 500) for scope in scopes}
        statements = count_reads(instance)
        pairs = [(scope, identifier) for scope, identifiers in made.items() for identifier in identifiers]
        found = await asyncio.gather(*(instance.reader.get(*pair) for pair in pairs))
        # In the other's name there is none of them.
        stolen = [(scopes[1 - scopes.index(scope)], identifier) for scope, identifier in pairs]
        missing = await asyncio.gather(*(instance.reader.get(*pair) for pair in stolen))
    assert [one.object.id for one in found if one is not None] == [identifier for _, identifier in pairs]
    assert missing == [None] * 1_000
    assert statements == [1_000, 1_000]


async def test_an_instance_shows_what_it_has_committed_without_reading_it(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url, staleness_ms=LONG_MS) as instance:
        one, other = await make_customers(instance, scope, 2)
        statements = count_reads(instance)
        assert name_of(await instance.reader.get(scope, one)) == "name 0"
        assert statements == [1]
        await rename(instance, scope, one, "new")
        (third,) = await make_customers(instance, scope, 1)
        names = [name_of(await instance.reader.get(scope, identifier)) for identifier in (one, other, third)]
    assert names == ["new", "name 1", "name 0"]
    assert statements == [1]


async def test_another_instance_shows_a_commit_within_the_agreed_time(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with (
        engine(database_url) as writing,
        engine(database_url, staleness_ms=SHORT_MS) as instance,
    ):
        (customer,) = await make_customers(writing, scope, 1)
        for number in range(5):
            assert await instance.reader.get(scope, customer) is not None
            await rename(writing, scope, customer, f"again {number}")
            # Longer than agreed, by whichever clock.
            await asyncio.sleep(SHORT_MS * 1.5 / 1000)
            assert name_of(await instance.reader.get(scope, customer)) == f"again {number}"
        assert instance.reader.counts()["reads_statements"] <= 11


async def test_with_no_staleness_allowed_an_instance_shows_every_commit_of_another(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with (
        engine(database_url) as writing,
        engine(database_url, staleness_ms=0) as instance,
    ):
        (customer,) = await make_customers(writing, scope, 1)
        for number in range(20):
            await rename(writing, scope, customer, f"again {number}")
            assert name_of(await instance.reader.get(scope, customer)) == f"again {number}"
        assert instance.reader.counts()["reads_process_hits"] == 0


async def test_instances_that_change_the_same_objects_never_show_less_than_they_acknowledged(
    database_url: str,
) -> None:
    scope = await make_tenant(database_url)
    chance = random.Random(7)
    async with (
        engine(database_url, staleness_ms=SHORT_MS) as one,
        engine(database_url, staleness_ms=SHORT_MS) as other,
    ):
        customers = await make_customers(one, scope, 3)
        least: dict[tuple[int, str], int] = {}

        async def work(place: int, instance: Engine) -> None:
            for _ in range(80):
                identifier = chance.choice(customers)
                if chance.random() < 0.3:
                    outcome = await instance.submit(
                        UpdateCustomer(id=identifier, fields={"name": f"{place}"}), scope
                    )
                    version = outcome.objects[identifier].version
                    least[place, identifier] = max(version, least.get((place, identifier), 0))
                expected = least.get((place, identifier), 0)
                found = await instance.reader.get(scope, identifier)
                assert found is not None
                assert found.version >= expected

        await asyncio.gather(*(work(place, instance) for place, instance in ((0, one), (1, other)) * 4))
        counts = [instance.reader.counts() for instance in (one, other)]
    assert sum(count["reads_process_hits"] for count in counts) > 0


async def test_a_refused_batch_tells_nothing_and_its_innocent_commands_are_shown(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url, staleness_ms=LONG_MS) as instance:
        (customer,) = await make_customers(instance, scope, 1)
        assert name_of(await instance.reader.get(scope, customer)) == "name 0"
        async with connected(database_url) as connection:
            await connection.execute(
                "alter table customer add constraint nobody_is_guilty check (email is distinct from 'guilty')"
            )
        innocent = instance.submit(UpdateCustomer(id=customer, fields={"name": "new"}), scope)
        guilty = instance.submit(CreateCustomer(fields={"email": "guilty"}), scope)
        outcomes = await asyncio.gather(innocent, guilty, return_exceptions=True)
        assert isinstance(outcomes[1], Exception)
        assert name_of(await instance.reader.get(scope, customer)) == "new"
        async with connected(database_url) as connection:
            sequence = await connection.fetchval(
                "select sequence from book where tenant_id = $1 and not livemode", scope.tenant_id
            )
        assert instance.reader._objects.scopes[scope]._known == sequence
