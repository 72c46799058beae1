"""What every page must be for everybody who uses it, and pictures for people to look at."""

import base64
from pathlib import Path

from tests.support.browser import Tab

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
_FIND_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_WATCH = """
window.blocked = [];
document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.violatedDirective));
"""


async def watch(tab: Tab) -> None:
    """Collect in `blocked` what the policy of a page forbids."""
    await tab.call("Page.enable")
    await tab.call("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)


async def look(tab: Tab, axe: str, name: str) -> None:
    """Check a page with axe-core in light, dark and at 360 pixels, and keep a picture of each."""
    for width, scheme in ((1200, "light"), (1200, "dark"), (360, "light")):
        await size(tab, width, scheme=scheme)
        assert await tab.run(f"return {_FIND_OVERFLOW}") <= 0, (name, width)
        found = await tab.run(f"{axe}; const found = await axe.run(); return found.violations.map(v => v.id)")
        assert found == [], (name, width, scheme)
        shot = await tab.call("Page.captureScreenshot", captureBeyondViewport=True)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        (SCREENSHOTS / f"{name}-{width}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))


async def size(tab: Tab, width: int, *, scheme: str = "light") -> None:
    """Show a page at a width, in light or dark."""
    await tab.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    await tab.call("Emulation.setEmulatedMedia", features=features)
