"""The application of the operator's listener: `/metrics`, `/healthz`, `/readyz`, and the console.

The first three answer from what the process knows, and wait for nothing: no statement, no other server.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from fastpay.errors import FastpayError
from fastpay.observability.metrics import OPENMETRICS, PLAIN, Metrics

Send = Callable[[dict[str, Any]], Awaitable[None]]
Page = Callable[[Mapping[bytes, bytes]], tuple[int, str, bytes]]

_JSON = "application/json"


class AdminApplication:
    """An ASGI application. `check` raises why requests cannot be served.

    `dependencies` and `pools` have the states of what they need. `console` is the application below
    `/console/`, None if there is none.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        check: Callable[[], None],
        dependencies: Callable[[], Mapping[str, Mapping[str, object]]],
        pools: Callable[[], Mapping[str, Mapping[str, int]]],
        console: Callable[..., Awaitable[None]] | None = None,
    ) -> None:
        self._console = console
        self._metrics = metrics
        self._check = check
        self._dependencies = dependencies
        self._pools = pools
        self._pages: dict[str, Page] = {
            "/metrics": self._show_metrics,
            "/healthz": _show_health,
            "/readyz": self._show_readiness,
        }

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send
    ) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if self._console is not None and scope["path"].startswith("/console/"):
            await self._console(scope, receive, send)
            return
        page = self._pages.get(scope["path"])
        more: list[tuple[bytes, bytes]] = []
        if page is None:
            status, kind, body = 404, _JSON, _encode({"status": "not_found"})
        elif scope["method"] not in ("GET", "HEAD"):
            status, kind, body = 405, _JSON, _encode({"status": "method_not_allowed"})
            more = [(b"allow", b"GET, HEAD")]
        else:
            status, kind, body = page(dict(scope["headers"]))
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            *more,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _show_metrics(self, headers: Mapping[bytes, bytes]) -> tuple[int, str, bytes]:
        wants_openmetrics = b"application/openmetrics-text" in headers.get(b"accept", b"")
        kind = OPENMETRICS if wants_openmetrics else PLAIN
        return 200, kind, self._metrics.render(openmetrics=wants_openmetrics)

    def _show_readiness(self, _: Mapping[bytes, bytes]) -> tuple[int, str, bytes]:
        shown: dict[str, object] = {"status": "ok"}
        status = 200
        try:
            self._check()
        except FastpayError as error:
            status = 503
            shown = {"status": "unavailable", "code": error.code, "message": str(error)}
        return status, _JSON, _encode(shown | {"dependencies": self._dependencies(), "pools": self._pools()})


def _show_health(_: Mapping[bytes, bytes]) -> tuple[int, str, bytes]:
    return 200, _JSON, _encode({"status": "ok"})


async def _live(receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"
