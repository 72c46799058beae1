"""The application is an ordinary ASGI application: under uvicorn it answers as under fastpay's own server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn

from tests.http.instances import FORM, OF_THE_REQUEST, PAY, Instance, running
from tests.support.api import TRUST

# Of the connection: uvicorn ends and names it in its own way.
_OF_THE_SERVER = OF_THE_REQUEST | {"server", "connection", "keep-alive", "transfer-encoding"}


@asynccontextmanager
async def under_uvicorn(instance: Instance) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an instance's application by uvicorn as well, for the block."""
    config = uvicorn.Config(instance._app, host="127.0.0.1", port=0, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(60):
            while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        authorization = {"authorization": f"Bearer {instance.keys['owner']}"}
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers=authorization,
            trust_env=False,
            verify=TRUST,
            timeout=30,
        ) as client:
            for name in ("accept", "accept-encoding", "user-agent"):
                del client.headers[name]
            yield client
    finally:
        server.should_exit = True
        await serving


def seen(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Return what a client sees of an answer, but for what is the server's own."""
    headers = [(name, value) for name, value in answer.headers.items() if name not in _OF_THE_SERVER]
    return answer.status_code, answer.content, sorted(headers)


@pytest.mark.anyio
async def test_uvicorn_serves_what_the_own_server_serves(database_url: str) -> None:
    async with running(database_url) as instance, under_uvicorn(instance) as client:
        paid = await client.post(
            "/v1/payment_intents", headers=FORM | {"idempotency-key": "one"}, content=PAY
        )
        assert paid.status_code == 200, paid.text
        assert paid.json()["status"] == "succeeded"
        requests: list[tuple[str, str, dict[str, str], str]] = [
            # The same payment again, and another one by its key.
            ("POST", "/v1/payment_intents", {"idempotency-key": "one"}, PAY),
            ("POST", "/v1/payment_intents", {"idempotency-key": "one"}, PAY.replace("2000", "2001")),
            ("POST", "/v1/payment_intents", {"idempotency-key": "two"}, "amount=-1&currency=usd"),
            ("POST", "/v1/nothing", {}, ""),
            ("GET", "/v1/payment_intents?limit=3", {}, ""),
            ("GET", "/v1/charges/ch_none", {}, ""),
            ("HEAD", "/v1/charges", {}, ""),
            ("GET", "/v1/charges", {"authorization": "Bearer sk_test_wrong"}, ""),
        ]
        requests += [("GET", path, {}, "") for path in await instance.make_objects()]
        for method, path, headers, body in requests:
            sent = (FORM if method == "POST" else {}) | headers
            theirs = await client.request(method, path, headers=sent, content=body)
            ours = await instance.send(method, path, headers=sent, content=body)
            assert seen(theirs) == seen(ours), (method, path)
        statuses = {(await client.get(path)).status_code for method, path, *_ in requests[-6:]}
        assert statuses == {200}
