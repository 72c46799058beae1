"""A client of a fastpay server: it signs, and sends again with the same idempotency key."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlsplit

from fastpay import limits
from fastpay.errors import ConfigurationError
from fastpay.outbound.http import Answer, HttpClient, NoAnswerError
from fastpay.signing import HEADER, RequestSigner


class Client:
    """Sends requests to one server with one API key."""

    def __init__(self, url: str, key: str, *, signing_secret: str | None = None) -> None:
        """Take the server's base URL. Raises: ConfigurationError when it is none."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ConfigurationError(f"{url} is not the URL of a server; it looks like http://127.0.0.1:8000")
        self._url = url
        self._prefix = parts.path.rstrip("/")
        self._origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._headers = {"Authorization": f"Bearer {key}"}
        self._signer = None if signing_secret is None else RequestSigner(signing_secret)
        self._http = HttpClient(
            connections_max=limits.demo_concurrency_max,
            answer_bytes_max=limits.demo_answer_bytes_max,
            timeout_ms=limits.demo_answer_timeout_ms,
        )
        self.retries = 0

    async def get(self, path: str, **params: Any) -> Answer:
        """Ask for something; `params` are what `encode` takes."""
        return await self._send("GET", f"{path}?{encode(params)}" if params else path, b"")

    async def post(self, path: str, key: str, params: Mapping[str, Any]) -> Answer:
        """Have something done, once however often it must be sent: `key` is its idempotency key."""
        return await self._send("POST", path, encode(params).encode(), key=key)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def _send(self, method: str, target: str, body: bytes, *, key: str | None = None) -> Answer:
        """Send until there is an answer that counts, as the dialect's own clients do.

        Raises: ConfigurationError when the server gives none.
        """
        headers = dict(self._headers)
        if key is not None:
            headers |= {"Idempotency-Key": key, "Content-Type": "application/x-www-form-urlencoded"}
        target = self._prefix + target
        if self._signer is not None:
            headers[HEADER] = self._signer.sign(method, target, body, idempotency_key=key)
        for attempt in range(limits.demo_attempts_max):
            if attempt:
                self.retries += 1
                backoff_ms = min(limits.demo_backoff_ms * 2**attempt, limits.demo_backoff_max_ms)
                await asyncio.sleep(backoff_ms / 1000)
            try:
                answer = await self._http.send(method, self._origin + target, headers=headers, body=body)
            except NoAnswerError as error:
                reason = str(error)
                continue
            if answer.headers.get("stripe-should-retry") != "true":
                return answer
            reason = f"it says {answer.status} and to try again"
        raise ConfigurationError(f"the server at {self._url} gives no answer: {reason}")


def encode(params: Mapping[str, Any]) -> str:
    """Return a form body, or a query: mappings become `name[key]`, sequences `name[]`."""
    pairs: list[str] = []

    def add(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                add(f"{name}[{key}]", inner)
        elif isinstance(value, tuple | list):
            for inner in value:
                add(f"{name}[]", inner)
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            pairs.append(f"{quote_plus(name, safe='[]')}={quote_plus(text)}")

    for name, value in params.items():
        add(name, value)
    return "&".join(pairs)
