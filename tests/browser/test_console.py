"""The console in a browser: by keyboard, on a small screen, in light and dark, under its own policy."""

import base64
from pathlib import Path

import pyotp
import pytest

from tests.support.api import open_client
from tests.support.browser import Browser, Tab
from tests.support.operators import PASSWORD, invite
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

# For people to look at.
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
_WATCH = """
window.blocked = [];
document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.violatedDirective));
"""
_FIND_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


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


async def _size(tab: Tab, width: int, *, scheme: str = "light") -> None:
    await tab.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    await tab.call("Emulation.setEmulatedMedia", features=features)


async def _look(tab: Tab, axe: str, name: str) -> None:
    """Check a page for everybody who uses it, and keep a picture of it."""
    for width, scheme in ((1200, "light"), (1200, "dark"), (360, "light")):
        await _size(tab, width, scheme=scheme)
        assert await tab.run(f"return {_FIND_OVERFLOW}") <= 0, (name, width)
        found = await tab.run(f"{axe}; const found = await axe.run(); return found.violations.map(v => v.id)")
        assert found == [], (name, width, scheme)
        shot = await tab.call("Page.captureScreenshot", captureBeyondViewport=True)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        (SCREENSHOTS / f"{name}-{width}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))


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
        await _look(tab, axe, "sign-in")
        await _join(tab, invitation)
        await _look(tab, axe, "search")
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
        await _look(tab, axe, "payment")
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
            ("tenants", "tenants"),
        ):
            await tab.open(f"{server.admin_url}/console/{path}")
            if name == "endpoint":
                await tab.run("document.querySelectorAll('details').forEach(one => one.open = true)")
            await _look(tab, axe, name)
        await _make_a_key(tab, f"{server.admin_url}/console/keys/{place}")
        await _look(tab, axe, "made")
        await tab.run("document.querySelector('main a').focus()")
        await tab.press("Enter", "\r")
        await tab.wait_for("location.pathname.split('/').length === 6 && document.readyState === 'complete'")
        await _look(tab, axe, "key")


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
        await tab.call("Page.enable")
        await tab.call("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
        await _join(tab, invitation)
        await tab.open(f"{server.admin_url}/console/health")
        # A chart gets longer while somebody looks.
        count = "document.querySelector('polyline').getAttribute('points').split(' ').length"
        await tab.wait_for(f"{count} >= 3")
        assert await tab.run("return blocked") == []
        await _look(tab, axe, "health")
        # What a page of ours may do, others may not: a script of another kind does not run.
        ran = "const tag = document.createElement('script'); tag.textContent = 'window.ran = 1';"
        assert await tab.run(f"{ran} document.body.append(tag); return window.ran ?? null") is None
        cookies = await tab.run("return document.cookie")
        assert cookies == ""
