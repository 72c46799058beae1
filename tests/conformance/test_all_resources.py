"""What is listed is as the dialect says: in the list, alone, in its events, and with all that it can expand.

The lists and the fields come from the table of routes and the resources, so a new resource is held to this.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from fastpay.api.app import RESOURCES, ROUTES
from fastpay.api.resource import Included, Reference
from tests.support.api import open_client
from tests.support.description import CHECKED
from tests.support.dialect import deviations
from tests.support.refusals import Database
from tests.support.servers import RunningServer
from tests.support.shop import Shop
from tests.support.tenants import make_tenant

PATHS = sorted({route.path for route in ROUTES if route.method == "GET" and "/ledger/" not in route.path})
LISTS = [path for path in PATHS if f"{path}/{{id}}" in PATHS]
# Lists that may be empty, because nothing of the kind happens by itself.
MAY_BE_EMPTY = {"/v1/accounts", "/v1/processors/settlements"}


@pytest.fixture(scope="module")
def shop(server: RunningServer) -> Iterator[Shop]:
    with open_client(server.url, make_tenant(server.database_url).secret, **CHECKED) as http:
        shop = Shop(http)
        shop.live()
        shop.connect()
        # Payouts take their steps meanwhile, which would make an item of a list differ from itself.
        database = Database(server.database_url)
        try:
            database.settle()
        finally:
            database.close()
        yield shop


def listed(shop: Shop, path: str) -> list[Any]:
    """Return the items of a list, which must have some."""
    page = shop.get(path, {"limit": "100"})
    assert page is not None, path
    assert page["data"] or path in MAY_BE_EMPTY, path
    items: list[Any] = page["data"]
    return items


def fields_at(item: dict[str, Any], path: str) -> Any:
    """Return the value of a field, which may be inside of a part."""
    value: Any = item
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def test_the_resources_of_the_dialect_are_looked_at() -> None:
    assert {"/v1/payment_intents", "/v1/charges", "/v1/customers", "/v1/events"} <= set(LISTS)


@pytest.mark.parametrize("path", [path for path in LISTS if path != "/v1/events"])
def test_each_item_is_as_the_dialect_says_in_a_list_and_alone(shop: Shop, path: str) -> None:
    for item in listed(shop, path):
        assert deviations(item) == []
        alone = shop.get(f"{path}/{item['id']}", {})
        # How far deliveries are changes meanwhile.
        assert alone | {"fastpay": None} == item | {"fastpay": None}


@pytest.mark.parametrize("path", [path for path in LISTS if path != "/v1/events"])
def test_each_field_that_can_be_expanded_becomes_an_object_of_the_dialect(shop: Shop, path: str) -> None:
    for item in listed(shop, path):
        resource = RESOURCES.named(item["id"])
        assert resource is not None
        for field, expandable in resource.expandable.items():
            expanded = shop.get(f"{path}/{item['id']}", {"expand[]": field})
            assert expanded is not None, field
            assert deviations(expanded) == [], field
            value = fields_at(expanded, field)
            if isinstance(expandable, Reference) and expandable.is_view:
                # It is there if it is asked for, and has no deviations, as what is around it.
                assert value is None or isinstance(value, dict)
            elif isinstance(expandable, Reference):
                # A payment is settled by a card that may belong to nobody: then there is nothing to load.
                assert value is None or isinstance(value, dict) or not expandable.kinds, (field, value)
                assert (value is None) == (fields_at(item, field) is None), field
            elif isinstance(expandable, Included):
                # It is there anyway, and has no deviations, as what is around it.
                assert value == fields_at(item, field), field
            else:
                assert value["object"] == "list"
                assert all(deviations(one) == [] for one in value["data"])


def test_each_event_shows_an_object_of_the_dialect(shop: Shop) -> None:
    for event in listed(shop, "/v1/events"):
        assert deviations(event["data"]["object"]) == [], event["type"]
        assert shop.get(f"/v1/events/{event['id']}", {}) == event
