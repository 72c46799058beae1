"""Passkeys in a browser with an authenticator of its own, and the pages about operators."""

import asyncio

import pyotp
import pytest

from tests.support.browser import Browser, Tab
from tests.support.looks import look, watch
from tests.support.operators import PASSWORD, invite
from tests.support.servers import RunningServer, execute

_PROMPT = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}


async def _plug_in(tab: Tab) -> str:
    """Give a tab an authenticator whose person is there and says who it is."""
    await tab.call("WebAuthn.enable")
    options = {**_PROMPT, "isUserVerified": True, "automaticPresenceSimulation": True}
    made = await tab.call("WebAuthn.addVirtualAuthenticator", options=options)
    return str(made["authenticatorId"])


async def _arrive(tab: Tab, path: str) -> None:
    await tab.wait_for(f"location.pathname === '{path}' && document.readyState === 'complete'")


async def _enter(tab: Tab, url: str, name: str, server: RunningServer) -> None:
    """Join with a passkey, by keyboard."""
    await tab.open(f"{url}{(await asyncio.to_thread(invite, server, name=name))[1]}")
    await tab.run("document.getElementById('passkey').focus()")
    await tab.call("Input.insertText", text="a phone")
    await tab.press("Enter", "\r")
    await _arrive(tab, "/console/")


async def _sign_in(tab: Tab, url: str) -> None:
    """Ask for a passkey at the sign-in, by keyboard."""
    await tab.open(f"{url}/console/sign-in")
    await tab.run("document.querySelector('form[data-passkey] button').focus()")
    await tab.press("Enter", "\r")


async def _wait_for_problem(tab: Tab, text: str) -> None:
    await tab.wait_for(f"document.body !== null && document.body.innerText.includes({text!r})")


@pytest.fixture
def url(server: RunningServer) -> str:
    """Where the browser finds the console: at an address there are no passkeys."""
    return server.admin_url.replace("127.0.0.1", "localhost")


async def test_an_operator_joins_signs_in_and_confirms_with_a_passkey(
    browser: Browser, server: RunningServer, url: str, axe: str
) -> None:
    async with browser.tab() as tab:
        await watch(tab)
        device = await _plug_in(tab)
        await tab.open(f"{url}{(await asyncio.to_thread(invite, server))[1]}")
        await look(tab, axe, "invitation")
        await _enter(tab, url, "Grace Hopper", server)
        await tab.open(f"{url}/console/me")
        assert "a phone" in await tab.run("return document.body.innerText")
        await look(tab, axe, "me")
        await tab.run("document.querySelector('.who button').focus()")
        await tab.press("Enter", "\r")
        await _arrive(tab, "/console/sign-in")
        await look(tab, axe, "sign-in-passkey")
        await _sign_in(tab, url)
        await _arrive(tab, "/console/")
        # A session of some time ago has to prove it again before it changes anything.
        old = "update operator_session set proved_at = now() - interval '1 hour'"
        await asyncio.to_thread(execute, server.database_url, old)
        await tab.open(f"{url}/console/operators")
        await look(tab, axe, "operators-looking")
        await tab.run("document.querySelector('main a').focus()")
        await tab.press("Enter", "\r")
        await _arrive(tab, "/console/confirm")
        await look(tab, axe, "confirm")
        await tab.run("document.querySelector('form[data-passkey] button').focus()")
        await tab.press("Enter", "\r")
        await _arrive(tab, "/console/operators")
        await look(tab, axe, "operators")
        # Somebody else is invited by keyboard.
        await tab.run("document.getElementById('name').focus()")
        await tab.call("Input.insertText", text="Katherine Johnson " + "of a very long name " * 3)
        await tab.press("Enter", "\r")
        await _arrive(tab, "/console/operators/invite")
        await look(tab, axe, "invited")
        assert await tab.run("return blocked") == []
        # The device does not know the person: nothing is signed.
        await tab.call("WebAuthn.setUserVerified", authenticatorId=device, isUserVerified=False)
        await _sign_in(tab, url)
        await _wait_for_problem(tab, "There was no passkey")
        await look(tab, axe, "sign-in-refused")
        await tab.call("WebAuthn.setUserVerified", authenticatorId=device, isUserVerified=True)
        # A copy of the device from before the last sign-in.
        [known] = (await tab.call("WebAuthn.getCredentials", authenticatorId=device))["credentials"]
        await tab.call("WebAuthn.clearCredentials", authenticatorId=device)
        copied = {**known, "signCount": 1}
        await tab.call("WebAuthn.addCredential", authenticatorId=device, credential=copied)
        await _sign_in(tab, url)
        await _wait_for_problem(tab, "may have been copied")


async def test_a_second_passkey_is_added_and_the_first_is_removed(
    browser: Browser, server: RunningServer, url: str
) -> None:
    async with browser.tab() as tab:
        await watch(tab)
        first = await _plug_in(tab)
        await _enter(tab, url, "Dorothy Vaughan", server)
        await tab.open(f"{url}/console/me")
        await tab.run("document.getElementById('passkey').focus()")
        await tab.call("Input.insertText", text="the same again")
        await tab.press("Enter", "\r")
        await _wait_for_problem(tab, "This device has a passkey for you already")
        await tab.call("WebAuthn.removeVirtualAuthenticator", authenticatorId=first)
        await _plug_in(tab)
        await tab.press("Enter", "\r")
        await _wait_for_problem(tab, "The passkey was added")
        await tab.run("document.querySelector('td button').focus()")
        await tab.press("Enter", "\r")
        await _wait_for_problem(tab, "The passkey was removed")
        await tab.run("document.querySelector('td button').focus()")
        await tab.press("Enter", "\r")
        await _wait_for_problem(tab, "last way to sign in")
        await _sign_in(tab, url)
        await _arrive(tab, "/console/")
        assert await tab.run("return blocked") == []


async def test_without_scripts_a_password_and_a_code_sign_in(
    browser: Browser, server: RunningServer, url: str
) -> None:
    async with browser.tab() as tab:
        await tab.call("Page.enable")
        await tab.call("Emulation.setScriptExecutionDisabled", value=True)
        await tab.open(f"{url}{(await asyncio.to_thread(invite, server))[1]}")
        shown = "document.querySelector('form[data-passkey]').checkVisibility()"
        assert await tab.run(f"return {shown}") is False
        secret = await tab.run("return document.querySelector('dd code').textContent")
        await tab.run("document.getElementById('password').focus()")
        await tab.call("Input.insertText", text=PASSWORD)
        await tab.press("Tab")
        await tab.call("Input.insertText", text=pyotp.TOTP(secret).now())
        await tab.press("Enter", "\r")
        await _arrive(tab, "/console/")
        await tab.open(f"{url}/console/me")
        assert await tab.run(f"return {shown}") is False
        await tab.run("document.getElementById('new-password').focus()")
        await tab.call("Input.insertText", text="another horse battery")
        await tab.press("Enter", "\r")
        await _wait_for_problem(tab, "The password was changed")
