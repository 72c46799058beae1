"""HTTP clients of running servers."""

import ssl
from typing import Any

import httpx

from tests.support.servers import PATIENCE_SECONDS

# Each client would load the certificates of the world anew, which takes longer than a payment, though most
# speak plain HTTP. Those that do not bring the certificate that they trust.
TRUST = ssl.create_default_context()


def client_options(url: str, key: str | None, more: dict[str, Any]) -> dict[str, Any]:
    """Return how a client is opened: by itself it follows no proxy of the environment, and it waits long."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    given = {"base_url": url, "headers": headers, "timeout": PATIENCE_SECONDS, "trust_env": False}
    return given | {"verify": TRUST} | more


def open_client(url: str, key: str | None = None, **more: Any) -> httpx.Client:
    """Return a client with an API key, or without one."""
    return httpx.Client(**client_options(url, key, more))


def ask(url: str, **more: Any) -> httpx.Response:
    """Send one GET on a connection of its own."""
    return httpx.get(url, **{"timeout": PATIENCE_SECONDS, "trust_env": False, "verify": TRUST, **more})


def post(client: httpx.Client, path: str, **fields: str) -> Any:
    """Send a form that must go well, and return the answer."""
    return _answer(client.post(path, data=fields))


def get(client: httpx.Client, path: str, **query: str) -> Any:
    """Ask for something that must be there."""
    return _answer(client.get(path, params=query))


def _answer(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def open_async_client(url: str, key: str | None = None, **more: Any) -> httpx.AsyncClient:
    """Return the same for a loop, with as many connections as anybody asks for."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    return httpx.AsyncClient(**client_options(url, key, {"limits": limits} | more))
