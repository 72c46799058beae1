"""The same 120 bytes of JSON from a bare ASGI application and from Starlette, for every server alike."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fastpay._native.routing import Table

BODY = b'{"id":"pi_1","object":"payment_intent","amount":2000,"currency":"usd","status":"succeeded"}'.ljust(
    120
)
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"120")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer everything."""
    if scope["type"] == "lifespan":
        await run_lifespan(receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


async def run_lifespan(receive: Any, send: Any) -> None:
    """Say that all is well, twice."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def retrieve(request: Request) -> Response:
    """Answer one resource."""
    return Response(BODY, media_type="application/json")


_KINDS = ["charges", "customers", "refunds", "events", "payouts", "disputes", "transfers", "payment_intents"]
starlette_app = Starlette(routes=[Route(f"/v1/{kind}/{{id}}", retrieve) for kind in _KINDS])
_TABLE = Table([("GET", f"/v1/{kind}/{{id}}", retrieve) for kind in _KINDS])


async def routed_app(scope: Any, receive: Any, send: Any) -> None:
    """Find resources by the compiled table, and leave the rest to Starlette."""
    found = _TABLE.lookup(scope["method"], scope["path"]) if scope["type"] == "http" else None
    if found is None:
        await starlette_app(scope, receive, send)
        return
    endpoint, scope["path_params"] = found
    response = await endpoint(Request(scope, receive, send))
    await response(scope, receive, send)
