"""How an answer ends over TLS, on the loop of production: whole, or known to be cut off."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from fastpay.engine.dependency_ports import NoPart
from fastpay.errors import LegacyFailed
from fastpay.outbound.legacy.client import LegacyClient
from tests.support.doors import make_certificate
from tests.support.http_server import client_context, run
from tests.unit.outbound.legacy.older import Whole, request, whole

PIECE = bytes(range(256)) * 32


class Older(threading.Thread):
    """Answers one request with these pieces and ends the connection, if `says_so` after telling TLS."""

    def __init__(self, folder: Path, pieces: list[bytes], *, says_so: bool, pause_s: float = 0) -> None:
        super().__init__(daemon=True)
        certificate = make_certificate(folder)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate.cert, certificate.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._pieces, self._says_so, self._pause_s = pieces, says_so, pause_s

    def run(self) -> None:
        """Answer."""
        plain, _ = self._listener.accept()
        with self._listener, self._context.wrap_socket(plain, server_side=True) as wire:
            while not wire.recv(65_536).endswith(b"\r\n\r\n"):
                pass
            # The client stands still until all of it has come.
            time.sleep(0.1)
            for piece in self._pieces:
                wire.sendall(piece)
                time.sleep(self._pause_s)
            if self._says_so:
                wire.setblocking(False)
                with contextlib.suppress(ssl.SSLWantReadError):
                    wire.unwrap()


@pytest.mark.parametrize("has_length", [False, True], ids=["until the end", "length"])
@pytest.mark.parametrize(("count", "is_slow"), [(15, True), (40, False)], ids=["slow client", "at once"])
def test_an_answer_comes_whole_though_its_connection_has_ended(
    tmp_path: Path, count: int, is_slow: bool, has_length: bool
) -> None:
    """Either the client takes nothing before that, or all of it comes before the loop looks."""
    body = PIECE * count
    length = b"Content-Length: %d\r\nConnection: close\r\n" % len(body) if has_length else b""
    pieces = [b"HTTP/1.1 200 OK\r\n%b\r\n" % length, *([PIECE] * count)]
    older = Older(tmp_path, pieces, says_so=True, pause_s=0.005 if is_slow else 0)

    async def ask(client: LegacyClient) -> None:
        asking = asyncio.create_task(client.ask(request("GET"), Whole()))
        if not is_slow:
            await asyncio.sleep(0.05)
            time.sleep(0.4)  # noqa: ASYNC251
        with closing(await asking) as got:
            if is_slow:
                await asyncio.sleep(0.3)
            came = b""
            while (piece := await got.next()) is not None:
                came += piece
            assert came == body

    _play(older, ask)


def test_an_end_without_notice_is_no_end_of_an_answer(tmp_path: Path) -> None:
    async def ask(client: LegacyClient) -> None:
        with pytest.raises(LegacyFailed):
            await whole(client)

    _play(Older(tmp_path, [b"HTTP/1.1 200 OK\r\n\r\n", b"half"], says_so=False), ask)


def _play(older: Older, ask: Callable[[LegacyClient], Awaitable[None]]) -> None:
    older.start()

    async def main() -> None:
        client = LegacyClient(older.url, part=NoPart(), tls=client_context())
        try:
            await ask(client)
        finally:
            await client.close()

    run(main())
    older.join()
