"""The statements that are generated from the tables of the kinds."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fastpay.api.app import RESOURCES, ROUTES
from fastpay.api.lists import List
from fastpay.api.resource import Sublist
from fastpay.domain.identifiers import HIGHEST, LOWEST
from fastpay.store.connections import connected
from fastpay.store.postgres import DatabaseSettings, connect
from fastpay.store.statements import GENERATED, SQL
from fastpay.store.tables import BY_PREFIX
from tests.house.statements import check_file
from tests.store.filling import FEW, TENANT, fill


@pytest.mark.parametrize("name", GENERATED)
async def test_a_generated_statement_is_as_well_formed_as_a_file(name: str) -> None:
    assert check_file(name, SQL[name]) == []


async def test_every_filter_of_the_api_is_one_of_the_table() -> None:
    lists = [route.endpoint for route in ROUTES if isinstance(route.endpoint, List)]
    assert len(lists) > len(BY_PREFIX)
    for endpoint in lists:
        values = dict.fromkeys(endpoint.attributes, "0" * 32)
        statement, _ = BY_PREFIX[endpoint.resource.kind.prefix].choose_list(values)
        assert statement in SQL


async def test_every_list_inside_of_an_object_is_read_by_one_statement() -> None:
    sublists = [
        field
        for resource in RESOURCES
        for field in resource.expandable.values()
        if isinstance(field, Sublist)
    ]
    assert sublists
    for sublist in sublists:
        assert BY_PREFIX[sublist.kind.prefix].choose_each(sublist.field) in SQL


async def test_a_further_filter_does_not_change_the_index_that_a_list_goes_by(database_url: str) -> None:
    """A customer may have a million charges, of which a payment intent has one."""
    connection = await connect(DatabaseSettings(url=database_url))
    try:
        async with connected(database_url) as filler:
            await fill(filler, 0, FEW)
        for statistics in ("of none", "of all"):
            if statistics == "of all":
                await connection.execute("analyze")
            for table in BY_PREFIX.values():
                for first, *further in filter(None, table.filter_combinations()):
                    alone = table.list_statement((first,))
                    together = table.list_statement((first, *further))
                    assert await indexes(connection, alone) == await indexes(connection, together), together
    finally:
        await connection.close()


async def indexes(connection: Any, name: str) -> set[str]:
    """Return the names of the indexes that a list uses, with values and without."""
    found = set()
    for mode in ("generic", "custom"):
        await connection.execute(f"set plan_cache_mode = force_{mode}_plan")
        await connection.execute(f"prepare {mode}_{name} as {SQL[name]}")
        filters = ", ".join(f"'{TENANT}'" for _ in range(SQL[name].count("\n-- $") - 6))
        values = f"'{TENANT}', false, '{HIGHEST}', '{LOWEST}', false, 10" + (filters and f", {filters}")
        (explained,) = await connection.fetchrow(f"explain (format json) execute {mode}_{name} ({values})")
        found |= set(_indexes_of(json.loads(explained)[0]["Plan"]))
        await connection.execute(f"deallocate {mode}_{name}")
    return found


def _indexes_of(plan: dict[str, Any]) -> Iterator[str]:
    if "Index Name" in plan:
        yield plan["Index Name"]
    for part in plan.get("Plans", ()):
        yield from _indexes_of(part)
