"""A headless Chromium, driven over its DevTools protocol."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

# A guard against a hang, never a measurement.
PATIENCE_SECONDS = 60
_CODES = {"Tab": 9, "Enter": 13, " ": 32}
# Nothing that asks the network beside the page, and no profile but an empty one.
OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--ignore-certificate-errors"),
]


def found(program: str, package: str) -> str:
    """Return the path of a program, or skip."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed (Debian package {package})")
    return path


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:  # Any: what the protocol has
        """Call a method of the protocol."""
        message = await self._ask(method, params)
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            message: dict[str, Any] = await self._socket.receive_json(timeout=PATIENCE_SECONDS)
            if message.get("id") == self._number:
                return message

    async def run(self, script: str) -> Any:  # Any: what the script returns
        """Run the body of an async function on the page, and return what it returns."""
        done = await self.call(
            "Runtime.evaluate",
            expression=f"(async () => {{ {script} }})()",
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def open(self, url: str) -> None:
        """Go to a page, and wait until it is there."""
        await self.call("Page.navigate", url=url)
        await self.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'")

    async def wait_for(self, condition: str) -> None:
        """Wait until an expression is true, also across pages."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                # A page that is being left answers with an error.
                done = await self._ask("Runtime.evaluate", {"expression": condition, "returnByValue": True})
                if done.get("result", {}).get("result", {}).get("value") is True:
                    return
                await asyncio.sleep(0.02)

    async def press(self, key: str, text: str = "") -> None:
        """Press a key and let it go."""
        for kind in ("keyDown", "keyUp"):
            event = {"type": kind, "key": key, "text": text, "windowsVirtualKeyCode": _CODES[key]}
            await self.call("Input.dispatchKeyEvent", **event)


class Browser:
    """A running browser."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """Open an empty tab for the block."""
        async with aiohttp.ClientSession() as session:
            async with session.put(f"{self._url}/json/new?about:blank") as answer:
                made = await answer.json()
            # No message of the browser is too large: an accessibility tree may be one.
            async with session.ws_connect(made["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Tab(socket)
            async with session.get(f"{self._url}/json/close/{made['id']}"):
                pass


@contextmanager
def running_browser(folder: Path) -> Iterator[Browser]:
    """Run a browser with an empty profile for the block."""
    command = [found("chromium", "chromium"), *OPTIONS, f"--user-data-dir={folder}"]
    with (folder.parent / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--remote-debugging-port=0", "about:blank"], stdout=log, stderr=log
        )
    try:
        yield Browser(_port(process, folder / "DevToolsActivePort"))
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _port(process: "subprocess.Popen[bytes]", file: Path) -> int:
    for _ in range(PATIENCE_SECONDS * 20):
        assert process.poll() is None, "chromium has ended"
        if file.exists() and "\n" in file.read_text(encoding="utf-8"):
            return int(file.read_text(encoding="utf-8").split("\n")[0])
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    pytest.fail("chromium does not listen")


def quoted(value: object) -> str:
    """Return a value as JavaScript writes it."""
    return json.dumps(value)
