"""One browser for all tests, and a shop on another origin."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.browser import Browser, found, running_browser
from tests.support.packages import npm_modules


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


@pytest.fixture(scope="package")
def browser(scratch: Path) -> Iterator[Browser]:
    """A headless Chromium."""
    with running_browser(scratch / "chromium") as running:
        yield running


@pytest.fixture(scope="package")
def axe() -> str:
    """The script of axe-core, which finds what people with disabilities cannot use."""
    modules = npm_modules(found("npm", "npm"), "axe", Path(__file__).parent / "axe")
    return (modules / "axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="package")
def shop() -> Iterator[str]:
    """The origin of a shop's page, which is not the server's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
