"""The API reference in a browser: it shows the operations, tries one, and its policy stops nothing of it."""

import pytest

from tests.support.browser import Browser, quoted
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

pytestmark = pytest.mark.anyio

_BLOCK = "document.querySelector('.opblock.is-open')"
_WATCH = """
window.blocked = [];
document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.violatedDirective));
"""


async def test_the_page_shows_and_tries_the_operations_under_its_policy(
    browser: Browser, server: RunningServer, tenant: Tenant
) -> None:
    async with browser.tab() as tab:
        await tab.call("Page.enable")
        await tab.call("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
        await tab.open(f"{server.url}/docs#/balance/balance_retrieve")
        await tab.wait_for(f"{_BLOCK}?.querySelector('.execute') != null")
        await tab.run(f"{_BLOCK}.querySelector('.execute').click()")
        await tab.wait_for(f"{_BLOCK}.querySelector('.live-responses-table .response') !== null")
        status = f"return {_BLOCK}.querySelector('.live-responses-table .response-col_status').textContent"
        assert (await tab.run(status)).startswith("401")
        # With a key of test mode, as the page sends it once somebody has typed one.
        sent = {"method": "POST", "headers": {"Authorization": f"Bearer {tenant.secret}"}, "body": "name=Ada"}
        sent["headers"]["Content-Type"] = "application/x-www-form-urlencoded"  # type: ignore[index]
        assert await tab.run(f"return (await fetch('/v1/customers', {quoted(sent)})).status") == 200
        assert await tab.run("return blocked") == []
