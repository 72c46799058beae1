"""HTTP/2 streams that end before their requests do, and what must not come of it."""

import asyncio

import pytest

from tests.support.h2_client import Client, fields, frame
from tests.support.http_server import Receive, Scope, Send, answering, run, serving

pytestmark = pytest.mark.usefixtures("each_engine")


async def send_rest(client: Client, stream: int, count: int) -> None:
    """Send so much of a body as the windows allow, until it is sent or the stream is reset."""
    while count and stream not in client.resets:
        size = min(count, client.connection.local_flow_control_window(stream), 16_384)
        if not size:
            assert await client.step()
            continue
        count -= size
        client.connection.send_data(stream, b"x" * size, end_stream=not count)
        client.flush()


def test_a_client_that_was_refused_may_finish_its_body() -> None:
    async def main() -> None:
        async with serving(answering(), body_bytes_max=200_000) as server, Client(server) as client:
            refused = client.request(fields("POST", content__length="300000"), end=False)
            await send_rest(client, refused, 300_000)
            # A reset before that would be all that some clients see (curl 7.88 does).
            assert client.resets == {}
            assert client.statuses[refused] == [413]
            other = client.request(fields())
            await client.until(other)
            assert client.statuses[other] == [200]

    run(main())


def test_what_comes_after_a_refusal_is_bounded_in_bytes_and_time() -> None:
    async def main() -> None:
        bounds = {"body_bytes_max": 1000, "linger_bytes_max": 100_000, "linger_timeout_ms": 100}
        async with serving(answering(), **bounds) as server, Client(server) as client:
            silent, talkative = (
                client.request(fields("POST", content__length="300000"), end=False) for _ in range(2)
            )
            await send_rest(client, talkative, 300_000)
            while silent not in client.resets:
                assert await client.step()
            assert client.statuses == {silent: [413], talkative: [413]}
            assert client.resets == {silent: 0, talkative: 0}

    run(main())


@pytest.mark.parametrize("before", ["padded data", "a window"])
def test_a_stream_reset_in_the_packet_that_opens_another_hurts_nobody(before: str) -> None:
    """The codec forgets a closed stream as soon as it counts the open ones, which it does for a new one."""

    async def main() -> None:
        async with serving(answering(b"x" * 100_000)) as server, Client(server) as client:
            client.takes_data = False
            stalled = client.request(fields("POST"), end=before == "a window")
            while before == "a window" and len(client.bodies.get(stalled, b"")) < 65_535:
                assert await client.step()
            events = frame(0, 8, stalled, b"\x02abc\0\0")
            if before == "a window":
                events = frame(8, 0, stalled, (100).to_bytes(4, "big"))
            events += frame(3, 0, stalled, (8).to_bytes(4, "big"))
            client.flush()
            client.connection.reset_stream(stalled)
            client.connection.data_to_send()
            other = client.connection.get_next_available_stream_id()
            client.connection.send_headers(other, fields("HEAD"), end_stream=True)
            client.writer.write(events + client.connection.data_to_send())
            await client.until(other)
            assert client.statuses[other] == [200]

    run(main())


@pytest.mark.parametrize(("method", "status"), [("GET", 204), ("GET", 304), ("HEAD", 200), ("POST", 205)])
def test_an_answer_without_a_body_leaves_at_once(method: str, status: int) -> None:
    """It is decided after a wait, when nothing else makes the connection write."""

    async def main() -> None:
        has_left = asyncio.get_running_loop().create_future()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                return
            for _ in range(200):
                await asyncio.sleep(0)
            await send({"type": "http.response.start", "status": status})
            await send({"type": "http.response.body", "body": b""})
            # Far more turns of the loop than a write and a read take, and far fewer than come before a tick.
            for _ in range(2_000):
                if stream in client.ended:
                    break
                await asyncio.sleep(0)
            has_left.set_result(stream in client.ended)

        async with serving(app) as server, Client(server) as client:
            stream = client.request(fields(method))
            await client.until(stream)
            assert client.statuses[stream] == [status]
            assert await has_left

    run(main())
