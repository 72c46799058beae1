"""The account of a key: what it shows, who may name it, and that no other account can be named."""

from collections.abc import Iterator

import httpx
import pytest
import stripe

from fastpay.domain.rules import Rules
from tests.support.api import open_client
from tests.support.dialect import deviations
from tests.support.refusals import check_error
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant, make_tenant

RULES = Rules(290, 30, False, 7, {"eur": 60, "usd": 50})
NAMING = ("Stripe-Account", "Stripe-Context")


@pytest.fixture(scope="module")
def shop(server: RunningServer) -> Tenant:
    return make_tenant(server.database_url, RULES)


@pytest.fixture(scope="module")
def client(server: RunningServer, shop: Tenant) -> Iterator[httpx.Client]:
    with open_client(server.url, shop.secret) as opened:
        yield opened


def own_id(tenant: Tenant) -> str:
    return f"acct_{tenant.tenant_id.hex}"


def test_the_account_is_as_the_dialect_says(client: httpx.Client, shop: Tenant) -> None:
    account = client.get("/v1/account").raise_for_status().json()
    assert deviations(account) == []
    assert (account["id"], account["charges_enabled"]) == (own_id(shop), True)
    assert account["requirements"]["currently_due"] == []
    assert client.get(f"/v1/accounts/{own_id(shop)}").json() == account


def test_the_account_shows_its_money_rules(client: httpx.Client) -> None:
    account = client.get("/v1/account").json()
    assert account["fastpay"] == {
        "amount_minimums": {"eur": 60, "usd": 50},
        "dispute_fee": 0,
        "fee_basis_points": 290,
        "fee_fixed": 30,
        "funds_delay_days": 7,
        "payout_interval": "manual",
        "refunds_may_overdraw": False,
    }
    assert account["settings"]["payouts"]["schedule"]["delay_days"] == 7


@pytest.mark.parametrize(
    ("interval", "anchor"),
    [
        ("manual", {}),
        ("daily", {}),
        ("weekly", {"weekly_anchor": "monday"}),
        ("monthly", {"monthly_anchor": 1}),
    ],
)
def test_the_account_shows_when_payouts_are_made(
    server: RunningServer, interval: str, anchor: dict[str, object]
) -> None:
    tenant = make_tenant(server.database_url, Rules(payout_interval=interval))
    with open_client(server.url, tenant.secret) as client:
        account = client.get("/v1/account").raise_for_status().json()
    assert deviations(account) == []
    schedule = account["settings"]["payouts"]["schedule"]
    assert schedule == {"delay_days": 2, "interval": interval, **anchor}


def test_both_modes_have_one_account_and_live_mode_takes_no_payments(
    server: RunningServer, shop: Tenant
) -> None:
    with open_client(server.url, shop.live_secret) as live:
        account = live.get(f"/v1/accounts/{own_id(shop)}").raise_for_status().json()
    assert account["id"] == own_id(shop)
    assert (account["charges_enabled"], account["capabilities"]["card_payments"]) == (False, "inactive")


def test_the_client_library_retrieves_the_account(server: RunningServer, shop: Tenant) -> None:
    client = stripe.StripeClient(shop.secret, base_addresses={"api": server.url})
    account = client.v1.accounts.retrieve_current()
    assert account.id == own_id(shop)
    options: stripe.RequestOptions = {"stripe_account": account.id}
    assert client.v1.accounts.retrieve(account.id, options=options) == account
    with pytest.raises(stripe.PermissionError) as refused:
        client.v1.balance.retrieve(options={"stripe_account": "acct_1"})
    assert refused.value.error is not None
    assert refused.value.error.code == "account_invalid"


@pytest.mark.parametrize("header", NAMING)
def test_a_header_may_name_the_own_account(client: httpx.Client, shop: Tenant, header: str) -> None:
    made = client.post("/v1/customers", headers={header: own_id(shop)}).raise_for_status().json()
    shown = client.get(f"/v1/customers/{made['id']}", headers={header: own_id(shop)})
    assert shown.json() == made


@pytest.mark.parametrize("header", NAMING)
def test_another_account_is_answered_as_one_that_nobody_has(
    server: RunningServer, client: httpx.Client, shop: Tenant, header: str
) -> None:
    other = own_id(make_tenant(server.database_url))
    made = client.post("/v1/customers").json()
    # The second read of an object is answered from the cache.
    for _ in range(2):
        assert client.get(f"/v1/customers/{made['id']}").status_code == 200
    before = client.get("/v1/customers").json()
    for method, path in (("GET", f"/v1/customers/{made['id']}"), ("POST", "/v1/customers")):
        bodies = set()
        for named in (other, "acct_" + "0" * 32, "acct_1", "", shop.secret, own_id(shop)[:-1]):
            answer = client.request(method, path, headers={header: named})
            assert check_error(answer, 403)["code"] == "account_invalid"
            bodies.add(answer.text.replace(f"'{named}'", "''"))
        assert len(bodies) == 1
    assert client.get("/v1/customers").json() == before


def test_a_key_that_nobody_has_learns_nothing_of_accounts(server: RunningServer, shop: Tenant) -> None:
    with open_client(server.url, "sk_test_" + "x" * 42) as stranger:
        for named in (own_id(shop), "acct_1"):
            check_error(stranger.get("/v1/balance", headers={"Stripe-Account": named}), 401)


def test_a_path_names_no_other_account(server: RunningServer, client: httpx.Client) -> None:
    other = own_id(make_tenant(server.database_url))
    bodies = set()
    for named in (other, "acct_" + "0" * 32, "x"):
        answer = client.get(f"/v1/accounts/{named}")
        assert check_error(answer, 403)["code"] == "account_invalid"
        bodies.add(answer.text.replace(f"'{named}'", "''"))
    assert len(bodies) == 1


@pytest.mark.parametrize("query", ["unknown=1", "expand[]=individual", "expand[]=settings"])
def test_an_account_has_no_parameters_and_nothing_to_expand(client: httpx.Client, query: str) -> None:
    check_error(client.get(f"/v1/account?{query}"), 400)
