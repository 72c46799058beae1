"""The API reference in a browser: it shows the operations, and its policy stops nothing of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.browser import Browser, Tab, quoted
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

_WATCH = """
window.blocked = [];
document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.violatedDirective));
"""
# How many parts the page follows to show an operation: whatever its schemas refer to, on each way there.
_COUNT = """
const spec = reference.specSelectors.specJson().toJS();
const count = (part, followed) => {
  if (part === null || typeof part !== "object" || (total += 1) > 100000) return;
  if (typeof part.$ref !== "string") return Object.values(part).forEach((one) => count(one, followed));
  if (followed.includes(part.$ref)) return;
  const found = part.$ref.slice(2).split("/").reduce((inner, name) => inner[name], spec);
  count(found, [...followed, part.$ref]);
};
let total = 0;
let largest = 0;
for (const path of Object.values(spec.paths)) {
  for (const operation of Object.values(path)) {
    total = 0;
    count(operation, []);
    largest = Math.max(largest, total);
  }
}
return largest;
"""


# React hears of a value only if it is set as the element's own class sets it.
_TYPE = """
const type = (input, text) => {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, text);
  input.dispatchEvent(new Event("input", {bubbles: true}));
};
"""


@asynccontextmanager
async def reference(browser: Browser, server: RunningServer) -> AsyncIterator[Tab]:
    """Open the page, which notes what its policy blocks."""
    async with browser.tab() as tab:
        await tab.call("Page.enable")
        await tab.call("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
        await tab.open(f"{server.url}/docs")
        yield tab


async def test_an_operation_is_tried_from_the_page_under_its_policy(
    browser: Browser, server: RunningServer, tenant: Tenant
) -> None:
    """As a reader does it: a key is typed, an operation opened, Execute pressed, and the answer is shown."""
    async with reference(browser, server) as tab:

        async def press(selector: str) -> None:
            await tab.wait_for(f"document.querySelector({quoted(selector)}) !== null")
            await tab.run(f"document.querySelector({quoted(selector)}).click()")

        await tab.wait_for("document.querySelectorAll('.opblock').length > 50")
        assert 1_000 < await tab.run(_COUNT) < 50_000
        await press(".auth-wrapper .authorize")
        await tab.wait_for("document.querySelector('.auth-container input') !== null")
        await tab.run(
            f"{_TYPE} type(document.querySelector('.auth-container input'), {quoted(tenant.secret)})"
        )
        await press(".auth-container .auth.authorize")
        await press(".auth-container .btn-done")
        await press("#operations-tag-balance button")
        await press("#operations-balance-balance_retrieve .opblock-summary-control")
        # Its parameters are references at first, and Execute does nothing before they are followed.
        followed = "#operations-balance-balance_retrieve [data-param-name=Stripe-Account]"
        await tab.wait_for(f"document.querySelector({quoted(followed)}) !== null")
        await press("#operations-balance-balance_retrieve .execute")
        shown = "#operations-balance-balance_retrieve .live-responses-table tbody .response-col_status"
        await tab.wait_for(f"document.querySelector({quoted(shown)}) !== null")
        assert (await tab.run(f"return document.querySelector({quoted(shown)}).innerText")).strip() == "200"
        answer = "#operations-balance-balance_retrieve .live-responses-table .microlight"
        assert '"object": "balance"' in await tab.run(
            f"return document.querySelector({quoted(answer)}).innerText"
        )
        # With a key of test mode, as the page sends it once somebody has typed one.
        typed = {"Authorization": f"Bearer {tenant.secret}", "Content-Type": "application/json"}
        sent = {"method": "POST", "headers": typed, "body": '{"name":"Ada"}'}
        assert await tab.run(f"return (await fetch('/v1/customers', {quoted(sent)})).status") == 200
        assert await tab.run("return blocked") == []
        # The policy is there: a script of another kind does not run.
        ran = "const tag = document.createElement('script'); tag.textContent = 'window.ran = 1';"
        assert await tab.run(f"{ran} document.body.append(tag); return window.ran ?? null") is None
        assert await tab.run("return blocked.length") == 1
