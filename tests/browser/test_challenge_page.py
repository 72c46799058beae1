"""The page on which a cardholder authenticates, in a real browser."""

from typing import Any

import pytest

from tests.support.api import open_client
from tests.support.browser import Browser, Tab
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

ASKED = {
    "amount": "1999",
    "currency": "usd",
    "payment_method": "pm_card_authenticationRequired",
    "confirm": "true",
}


def begin(server: RunningServer, tenant: Tenant, return_url: str) -> dict[str, Any]:
    """Let the shop's own server begin a payment that needs its cardholder."""
    with open_client(server.url, tenant.secret) as api:
        answer = api.post("/v1/payment_intents", data={**ASKED, "return_url": return_url})
        made: dict[str, Any] = answer.json()
        assert made["status"] == "requires_action", made
        return made


def state(server: RunningServer, tenant: Tenant, intent: dict[str, Any]) -> dict[str, Any]:
    """Return what the payment is now."""
    with open_client(server.url, tenant.secret) as api:
        shown: dict[str, Any] = api.get(f"/v1/payment_intents/{intent['id']}").json()
        return shown


async def press_the_button(tab: Tab, number: int) -> None:
    """Go to a button by the keyboard alone, and press it."""
    for _ in range(number):
        await tab.press("Tab")
    assert await tab.run("return document.activeElement.matches('button:focus-visible')")
    await tab.press("Enter", "\r")


@pytest.mark.parametrize(
    ("button", "told", "status"),
    [
        (1, "succeeded", "succeeded"),
        (2, "failed", "requires_payment_method"),
        (3, "pending", "requires_action"),
    ],
)
async def test_the_cardholder_answers_by_keyboard_and_comes_back(
    browser: Browser, shop: str, server: RunningServer, tenant: Tenant, button: int, told: str, status: str
) -> None:
    intent = begin(server, tenant, f"{shop}/back?order=7#thanks")
    url = intent["next_action"]["redirect_to_url"]["url"]
    assert url.startswith(f"{server.url}/authenticate/")
    async with browser.tab() as tab:
        # The page must do without scripts.
        await tab.call("Emulation.setScriptExecutionDisabled", value=True)
        await tab.open(url)
        await press_the_button(tab, button)
        await tab.wait_for("location.pathname === '/back' && document.readyState === 'complete'")
        assert await tab.run("return document.referrer") == ""
        assert await tab.run("return location.href") == (
            f"{shop}/back?order=7&payment_intent={intent['id']}"
            f"&payment_intent_client_secret={intent['client_secret']}&redirect_status={told}#thanks"
        )
        assert await tab.call("Network.getCookies", urls=[server.url]) == {"cookies": []}
    shown = state(server, tenant, intent)
    assert shown["status"] == status
    if told == "failed":
        assert shown["last_payment_error"]["code"] == "payment_intent_authentication_failure"


async def test_the_page_can_be_used_by_everybody(
    browser: Browser, shop: str, server: RunningServer, tenant: Tenant, axe: str
) -> None:
    intent = begin(server, tenant, f"{shop}/back")
    async with browser.tab() as tab:
        for url in (
            intent["next_action"]["redirect_to_url"]["url"],
            f"{server.url}/authenticate/invented/pi_1",
        ):
            await tab.open(url)
            await tab.wait_for("document.querySelector('h1') !== null")
            await tab.call("Runtime.evaluate", expression=axe)
            found = await tab.run(
                "const {passes, violations} = await axe.run();"
                "return {passed: passes.map((one) => one.id), violated: violations.map((one) => one.id)};"
            )
            assert found["violated"] == []
            assert {"color-contrast", "document-title", "html-has-lang"} <= set(found["passed"])


async def test_the_policy_lets_nothing_run_and_nothing_frame_the_page(
    browser: Browser, shop: str, server: RunningServer, tenant: Tenant
) -> None:
    url = begin(server, tenant, f"{shop}/back")["next_action"]["redirect_to_url"]["url"]
    async with browser.tab() as tab:
        await tab.open(url)
        # The style is allowed: the policy has its digest.
        assert (
            await tab.run("return getComputedStyle(document.querySelector('main')).borderTopWidth") == "1px"
        )
        ran = "const tag = document.createElement('script'); tag.textContent = 'window.ran = 1';"
        assert await tab.run(f"{ran} document.body.append(tag); return window.ran ?? null") is None
        await tab.open(shop)
        framed = f"const frame = document.createElement('iframe'); frame.src = '{url}';"
        framed += "const loaded = new Promise((done) => { frame.onload = done; });"
        framed += "document.body.append(frame); await loaded; return frame.contentDocument"
        # What a frame shows instead is the browser's own page, of an origin that no page may read.
        assert await tab.run(framed) is None
        await tab.call("Page.enable")
        tree = await tab.call("Page.getFrameTree")
        (child,) = tree["frameTree"]["childFrames"]
        assert child["frame"]["url"].startswith("chrome-error:")


async def test_a_form_of_another_site_answers_nothing(
    browser: Browser, shop: str, server: RunningServer, tenant: Tenant
) -> None:
    intent = begin(server, tenant, f"{shop}/back")
    url = intent["next_action"]["redirect_to_url"]["url"]
    async with browser.tab() as tab:
        await tab.open(shop)
        await tab.run(
            f"""const form = document.createElement('form');
            form.method = 'post'; form.action = '{url}';
            form.innerHTML = '<input name=outcome value=succeeded>';
            document.body.append(form);
            // After the script: a page that is left answers nothing more.
            setTimeout(() => form.submit(), 0);"""
        )
        await tab.wait_for("document.title === 'This answer was refused'")
    assert state(server, tenant, intent)["status"] == "requires_action"
