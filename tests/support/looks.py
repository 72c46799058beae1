"""What every page must be for everybody who uses it, and pictures of what is not."""

import base64
from pathlib import Path

from tests.support.browser import Tab

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
_FIND_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# What passes is not listed, and style sheets are not fetched again: axe-core would take longer.
_FIND_VIOLATIONS = """
const found = await axe.run({resultTypes: ["violations"], preload: false, %s});
return found.violations.map(one => one.id)
"""
# Dark pages are the light ones in other colours: all else was looked at.
_RULES = {"light": "", "dark": 'runOnly: ["color-contrast", "link-in-text-block"]'}
_WATCH = """
window.blocked = [];
document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.violatedDirective));
"""


async def watch(tab: Tab) -> None:
    """Collect in `blocked` what the policy of a page forbids."""
    await tab.call("Page.enable")
    await tab.call("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)


async def look(tab: Tab, axe: str, name: str) -> None:
    """Check a page with axe-core in light, dark and at 360 pixels. What is at fault is kept as a picture."""
    for width, scheme in ((1200, "light"), (1200, "dark"), (360, "light")):
        await size(tab, width, scheme=scheme)
        overflow = await tab.run(f"return {_FIND_OVERFLOW}")
        if not await tab.run("return 'axe' in window"):
            await tab.run(axe)
        found = await tab.run(_FIND_VIOLATIONS % _RULES[scheme])
        if overflow > 0 or found:
            shot = await tab.call("Page.captureScreenshot", captureBeyondViewport=True)
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            (SCREENSHOTS / f"{name}-{width}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
        assert overflow <= 0, (name, width)
        assert found == [], (name, width, scheme)


async def size(tab: Tab, width: int, *, scheme: str = "light") -> None:
    """Show a page at a width, in light or dark."""
    await tab.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    await tab.call("Emulation.setEmulatedMedia", features=features)
