"""A page of another origin pays with a publishable key and a client secret, and can do nothing else."""

from typing import Any

import pytest

from tests.pages.blocks import block
from tests.support.api import open_client
from tests.support.browser import Browser, Tab, quoted
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

CARD = "type=card&card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2034&card[cvc]=123"
HEADERS = ["request-id", "stripe-version", "idempotency-key", "idempotent-replayed", "original-request"]


@pytest.fixture
def intent(server: RunningServer, tenant: Tenant) -> dict[str, Any]:
    """A payment that the shop's own server has begun."""
    with open_client(server.url, tenant.secret) as api:
        made: dict[str, Any] = api.post(
            "/v1/payment_intents", data={"amount": "900", "currency": "usd"}
        ).json()
        return made


async def fetch(
    tab: Tab, url: str, key: str, form: str | None = None, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """Let the page send a request, and return what it can read of the answer."""
    sent = ({"Authorization": f"Bearer {key}"} if key else {}) | (headers or {})
    if form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    options = {"method": "GET" if form is None else "POST", "headers": sent, "body": form}
    answer: dict[str, Any] = await tab.run(
        f"""const answer = await fetch({quoted(url)}, {quoted(options)});
        const read = Object.fromEntries({quoted(HEADERS)}.map((name) => [name, answer.headers.get(name)]));
        return {{status: answer.status, read, body: await answer.json()}};"""
    )
    return answer


async def test_a_page_makes_a_payment_method_and_confirms_with_it(
    browser: Browser, shop: str, server: RunningServer, tenant: Tenant, intent: dict[str, Any]
) -> None:
    path = f"{server.url}/v1/payment_intents/{intent['id']}"
    async with browser.tab() as tab:
        await tab.open(shop)
        made = await fetch(tab, f"{server.url}/v1/payment_methods", tenant.publishable, CARD)
        assert made["status"] == 200
        form = f"client_secret={intent['client_secret']}&payment_method={made['body']['id']}"
        keyed = {"Idempotency-Key": "from a page", "Stripe-Version": "2025-09-30.clover"}
        paid, again = [await fetch(tab, f"{path}/confirm", tenant.publishable, form, keyed) for _ in range(2)]
        shown = await fetch(
            tab, f"{path}?client_secret={intent['client_secret']}&key={tenant.publishable}", "", None
        )
    assert (paid["status"], paid["body"]["status"], paid["body"]["amount"]) == (200, "succeeded", 900)
    assert "metadata" not in paid["body"]
    assert again["body"] == paid["body"]
    assert paid["read"]["stripe-version"] == "2025-09-30.clover"
    assert paid["read"]["idempotency-key"] == "from a page"
    assert again["read"]["idempotent-replayed"] == "true"
    assert again["read"]["original-request"] == paid["read"]["request-id"]
    assert (shown["status"], shown["body"]) == (200, paid["body"])


async def test_the_example_of_the_documentation_pays(
    browser: Browser, shop: str, server: RunningServer, tenant: Tenant, intent: dict[str, Any]
) -> None:
    source = block("javascript", "await fetch(").replace("pk_test_...", tenant.publishable)
    source = source.replace("pm_...", "pm_card_visa")
    names = {"url": server.url, "id": intent["id"], "clientSecret": intent["client_secret"]}
    given = "".join(f"const {name} = {quoted(value)};" for name, value in names.items())
    async with browser.tab() as tab:
        await tab.open(shop)
        assert await tab.run(f"{given}{source} return (await answer.json()).status") == "succeeded"


async def test_a_page_reads_why_it_is_refused(
    browser: Browser, shop: str, server: RunningServer, tenant: Tenant, intent: dict[str, Any]
) -> None:
    path = f"/v1/payment_intents/{intent['id']}"
    declined = f"payment_method=pm_card_chargeDeclined&client_secret={intent['client_secret']}"
    long = "description=" + "x" * (5 << 20)
    asked: list[tuple[int, str, str, str | None]] = [
        (403, path, tenant.secret, None),
        (403, path, tenant.live_secret, "description=x"),
        (403, "/v1/charges", tenant.publishable, None),
        (403, path, tenant.publishable, "description=x"),
        (400, path, tenant.publishable, None),
        (404, f"{path}?client_secret=guessed", tenant.publishable, None),
        (401, path, "pk_test_nobodyknowsthisone", None),
        (404, "/v1/nowhere", tenant.publishable, None),
        (402, f"{path}/confirm", tenant.publishable, declined),
        # The transport refuses these before the application sees them.
        (413, f"{path}/confirm", tenant.publishable, long),
        # Without a preflight: it would be refused as well, and its answer is nothing that a page can read.
        (400, "/v1/%zz", "", None),
    ]
    async with browser.tab() as tab:
        await tab.open(shop)
        for status, target, key, form in asked:
            answer = await fetch(tab, server.url + target, key, form)
            assert answer["status"] == status, (target, answer)
            assert answer["body"]["error"]["message"]
            assert answer["read"]["request-id"].startswith("req_"), target
            if key.startswith("sk_"):
                assert answer["body"]["error"]["code"] == "publishable_key_required"
    with open_client(server.url, tenant.secret) as api:
        shown = api.get(path).json()
    assert (shown["status"], shown["description"]) == ("requires_payment_method", None)
