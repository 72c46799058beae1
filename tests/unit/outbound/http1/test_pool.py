"""fastpay/outbound/http1/pool.py: deadlines of requests, and which connections are looked at for them."""

import asyncio
from typing import cast

import pytest

from fastpay.outbound.http import HttpClient, NoAnswerError
from fastpay.outbound.http1.connection import Connection
from tests.unit.outbound.receivers import receiving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def test_requests_that_have_time_left_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hangs may have hundreds of them, and each turn would take time from others."""
    look, looked = Connection.look, list[Connection]()

    def count(connection: Connection, turns_max: int, now_s: float) -> None:
        looked.append(connection)
        look(connection, turns_max, now_s)

    monkeypatch.setattr(Connection, "look", count)
    async with receiving(b"") as receiver:
        client = HttpClient()
        waiting = asyncio.create_task(client.send("GET", receiver.url, headers={}, timeout_ms=600_000))
        with pytest.raises(NoAnswerError):
            await client.send("GET", receiver.url, headers={}, timeout_ms=100)
        (server,) = client._servers.values()
        # Both, once the first deadline had come.
        found = len(looked), len(server.pool._lent)
        for _ in range(5):
            server.pool._look()
        again = len(looked) - found[0]
        waiting.cancel()
        await client.close()
        assert found == (2, 1)
        assert again <= 1


async def test_each_request_has_its_own_deadline() -> None:
    async with receiving(b"") as receiver, asyncio.timeout(20):
        client = HttpClient()
        ended = await asyncio.gather(
            *(
                client.send("GET", receiver.url, headers={}, timeout_ms=timeout_ms)
                for timeout_ms in (400, 50, 200)
            ),
            return_exceptions=True,
        )
        await client.close()
    assert [type(one) for one in ended] == [NoAnswerError] * 3


async def test_deadlines_outlive_a_failure_at_one_of_them() -> None:
    class Broken:
        def look(self, *_: object) -> None:
            raise ZeroDivisionError

    async with receiving(OK) as receiver:
        client = HttpClient()
        await client.send("GET", receiver.url, headers={})
        (server,) = client._servers.values()
        server.pool._lent.add(cast(Connection, Broken()))
        server.pool._turns.due_s = 0.0
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                server.pool._look()
        timer, now_s = server.pool._timer, asyncio.get_running_loop().time()
        server.pool._lent.clear()
        await client.close()
        assert timer is not None
        assert timer.when() > now_s
