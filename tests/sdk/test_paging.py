"""Every list of the dialect, walked by the official client from either end, one object a page."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from fastpay.api.app import ROUTES
from tests.support.api import open_client
from tests.support.servers import RunningServer
from tests.support.shop import Shop
from tests.support.tenants import make_tenant

# What the dialect lists. A list of what belongs to one object is asked for each that has it.
LISTS = sorted(
    route.path
    for route in ROUTES
    if route.method == "GET" and route.endpoint.contract.answer == "list" and "/ledger/" not in route.path
)
# A delivery of test events goes nowhere, and nothing was delivered again. Only live payments have attempts:
# tests/store/test_tenants.py has their pages in both directions. Files of processors are imported by hand:
# tests/processors/test_settling_live.py.
OURS = {
    path
    for path in LISTS
    if path.startswith(("/v1/webhook_endpoints/", "/v1/processors/")) or path.endswith("/attempts")
}
CARD = {"payment_method": "pm_card_visa", "confirm": "true"}


class Everything(Shop):
    """A tenant in which everything has happened more than once, and the owners of lists."""

    def fill(self) -> None:
        """Make two of everything."""
        for _ in range(2):
            self.live()
            self.connect()
        self.owners = {
            path.partition("/v1/")[2].partition("/")[0]: self.ids(path.partition("/v1/")[2].partition("/")[0])
            for path in LISTS
        }
        customer = self.owners["customers"][0]
        for _ in range(2):
            self.post(f"customers/{customer}/sources", source="tok_visa")
            self.post(f"test_helpers/customers/{customer}/fund_cash_balance", amount="5", currency="usd")
        for charge in self.owners["charges"]:
            for _ in range(2):
                self.post("refunds", charge=charge, amount="1")
        for transfer in self.owners["transfers"]:
            self.post(f"transfers/{transfer}/reversals", amount="1")
        for fee in self.owners["application_fees"]:
            self.post(f"application_fees/{fee}/refunds", amount="1")
        self.setup = self.post("setup_intents")["id"]
        for _ in range(2):
            self.post(f"setup_intents/{self.setup}/confirm", payment_method="pm_card_chargeDeclined")

    def pages(self, path: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield the paths of a list, each with the query that it needs."""
        query = {"setup_intent": self.setup} if path == "/v1/setup_attempts" else {}
        if "{id}" not in path:
            yield path, query
            return
        for owner in self.owners[path.removeprefix("/v1/").partition("/")[0]]:
            yield path.replace("{id}", owner), query


@pytest.fixture(scope="module")
def tenant_key(server: RunningServer) -> str:
    return make_tenant(server.database_url).secret


@pytest.fixture(scope="module")
def shop(server: RunningServer, tenant_key: str) -> Iterator[Everything]:
    with open_client(server.url, tenant_key) as http:
        made = Everything(http)
        made.fill()
        yield made


@pytest.fixture(scope="module")
def client(server: RunningServer, tenant_key: str) -> Iterator[stripe.StripeClient]:
    transport = stripe.RequestsClient()
    yield stripe.StripeClient(tenant_key, base_addresses={"api": server.url}, http_client=transport)
    transport.close()  # type: ignore[no-untyped-call]  # theirs


def walk(client: stripe.StripeClient, path: str, query: dict[str, str]) -> list[str]:
    """Return the identifiers that the client finds by itself, from this page on."""
    params: Any = {"limit": 1, **query}
    page: Any = client.deserialize(client.raw_request("get", path, **params), params=params, api_mode="V1")
    return [item.id for item in page.auto_paging_iter()]


@pytest.mark.parametrize("path", [path for path in LISTS if path not in OURS])
def test_a_list_is_walked_to_both_ends(shop: Everything, client: stripe.StripeClient, path: str) -> None:
    longest = 0
    for listed, query in shop.pages(path):
        whole = [item["id"] for item in shop.get(listed, {"limit": "100", **query})["data"]]
        longest = max(longest, len(whole))
        # Payouts and events go on: what comes meanwhile comes before what was there.
        assert [one for one in walk(client, listed, query) if one in whole] == whole
        if len(whole) > 1:
            back = walk(client, listed, {**query, "ending_before": whole[-1]})
            assert [one for one in back if one in whole] == whole[-2::-1]
        if longest > 2:
            break
    assert longest > 1, "there is nothing to walk"
