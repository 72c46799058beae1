"""One browser for all tests, and a shop on another origin."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.browser import PATIENCE_SECONDS, Browser, found, running_browser


class _Page(BaseHTTPRequestHandler):
    """The same page at every path."""

    def do_GET(self) -> None:
        body = b"<!doctype html><html lang=en><title>Shop</title><h1>Shop</h1>"
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def browser(scratch: Path) -> Iterator[Browser]:
    """A headless Chromium."""
    with running_browser(scratch / "chromium") as running:
        yield running


@pytest.fixture(scope="session")
def axe(scratch: Path) -> str:
    """The script of axe-core, which finds what people with disabilities cannot use."""
    npm, place = found("npm", "npm"), scratch / "axe"
    shutil.copytree(Path(__file__).parent / "axe", place)
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    ran = subprocess.run(command, cwd=place, capture_output=True, timeout=PATIENCE_SECONDS, check=False)
    if ran.returncode != 0:
        pytest.skip("the npm package axe-core could not be installed")
    return (place / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def shop() -> Iterator[str]:
    """The origin of a shop's page, which is not the server's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
