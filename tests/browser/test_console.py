"""The console in a browser: by keyboard, on a small screen, in light and dark, under its own policy."""

import pyotp
import pytest

from tests.support.api import open_client
from tests.support.browser import Browser, Tab
from tests.support.looks import look, watch
from tests.support.operators import PASSWORD, invite
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant


@pytest.fixture
def invitation(server: RunningServer) -> str:
    """The address of a page on which somebody becomes an operator."""
    return f"{server.admin_url}{invite(server)[1]}"


async def _join(tab: Tab, invitation: str) -> None:
    """Accept an invitation as people do: by keyboard."""
    await tab.open(invitation)
    secret = await tab.run("return document.querySelector('dd code').textContent")
    await tab.run("document.getElementById('password').focus()")
    await tab.call("Input.insertText", text=PASSWORD)
    await tab.press("Tab")
    await tab.call("Input.insertText", text=pyotp.TOTP(secret).now())
    await tab.press("Enter", "\r")
    await tab.wait_for("location.pathname === '/console/' && document.readyState === 'complete'")


async def test_everybody_can_use_the_console(
    browser: Browser, server: RunningServer, tenant: Tenant, invitation: str, axe: str
) -> None:
    with open_client(server.url, tenant.secret) as api:
        payment = api.post("/v1/payment_intents", data={
            "amount": "2500", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true",
            "capture_method": "manual", "payment_method_types[]": "card",
        }).json()  # fmt: skip
        api.post(f"/v1/payment_intents/{payment['id']}/capture", data={"amount_to_capture": "2000"})
        api.post("/v1/refunds", data={"payment_intent": payment["id"], "amount": "500"})
        customer = api.post("/v1/customers", data={"email": "ada@example.com", "name": "Ada " * 30}).json()
        created = api.post("/v1/webhook_endpoints", data={
            "url": f"https://example.com/{'long/' * 40}", "enabled_events[]": "*",
        }).json()  # fmt: skip
    async with browser.tab() as tab:
        await tab.call("Page.enable")
        # The policy stops scripts that tests put in, too, unless the browser is told otherwise.
        await tab.open(f"{server.admin_url}/console/sign-in")
        await look(tab, axe, "sign-in")
        await _join(tab, invitation)
        await look(tab, axe, "search")
        await tab.run("document.getElementById('q').focus()")
        await tab.call("Input.insertText", text=payment["id"])
        await tab.press("Enter", "\r")
        await tab.wait_for(
            "location.pathname.startsWith('/console/payments/') && document.readyState === 'complete'"
        )
        assert await tab.run("return document.querySelectorAll('.timeline li').length") == 3
        # What a change has set opens by keyboard, without a script.
        await tab.run("document.querySelector('summary').focus()")
        await tab.press("Enter", "\r")
        assert await tab.run("return document.querySelector('details').open")
        await look(tab, axe, "payment")
        place = f"{tenant.tenant_id.hex}/test"
        endpoint = created["id"]
        for name, path in (
            ("tenant", f"tenants/{place}?q=25.00"),
            ("account", f"tenants/{place}/accounts/usd/pending"),
            ("verified", f"tenants/{place}/verify"),
            ("settings", f"settings/{place}"),
            ("keys", f"keys/{place}"),
            ("endpoints", f"endpoints/{place}"),
            ("endpoint", f"endpoints/{place}/{endpoint}"),
            ("object", f"objects/{place}/{customer['id']}"),
            ("found", "?q=25.00"),
            ("audit", "audit"),
            ("rollout", "routes"),
            ("tenants", "tenants"),
        ):
            await tab.open(f"{server.admin_url}/console/{path}")
            if name == "endpoint":
                await tab.run("document.querySelectorAll('details').forEach(one => one.open = true)")
            await look(tab, axe, name)
        await _make_a_key(tab, f"{server.admin_url}/console/keys/{place}")
        await look(tab, axe, "made")
        await tab.run("document.querySelector('main a').focus()")
        await tab.press("Enter", "\r")
        await tab.wait_for("location.pathname.split('/').length === 6 && document.readyState === 'complete'")
        await look(tab, axe, "key")


async def _make_a_key(tab: Tab, page: str) -> None:
    """Create an API key by keyboard, without a script."""
    await tab.open(page)
    await tab.run("document.getElementById('kind').focus()")
    await tab.press("Tab")
    await tab.press("Enter", "\r")
    await tab.wait_for("document.querySelector('.secret') !== null && document.readyState === 'complete'")
    assert (await tab.run("return document.querySelector('.secret').textContent")).startswith("sk_test_")


async def test_the_page_of_health_is_live_under_its_policy(
    browser: Browser, server: RunningServer, invitation: str, axe: str
) -> None:
    async with browser.tab() as tab:
        await watch(tab)
        await _join(tab, invitation)
        await tab.open(f"{server.admin_url}/console/health")
        # A chart gets longer while somebody looks.
        count = "document.querySelector('polyline').getAttribute('points').split(' ').length"
        await tab.wait_for(f"{count} >= 3")
        assert await tab.run("return blocked") == []
        await look(tab, axe, "health")
        # What a page of ours may do, others may not: a script of another kind does not run.
        ran = "const tag = document.createElement('script'); tag.textContent = 'window.ran = 1';"
        assert await tab.run(f"{ran} document.body.append(tag); return window.ran ?? null") is None
        cookies = await tab.run("return document.cookie")
        assert cookies == ""
