"""A network between fastpay and its processor that fails one request in some, each time in another way."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Literal
from urllib.parse import urlsplit

from tests.support.http_faults import ask_at, read_message

Fault = Literal[
    "closes",  # before anything is sent
    "first_byte",  # only that arrives
    "cuts_request",  # the processor never has all of it
    "slow_request",  # it arrives after others that were sent later
    "cuts_answer",  # the processor has acted, and nobody hears of it
    "halves_answer",
    "slow_answer",  # it comes when nobody waits any more
    "repeats",  # the processor gets it twice, one after the other
    "repeats_later",  # and a copy that was on its way for long
]
FAULTS: tuple[Fault, ...] = (
    *("closes", "first_byte", "cuts_request", "slow_request"),
    *("cuts_answer", "halves_answer", "slow_answer", "repeats", "repeats_later"),
)
# A processor that does not recognize requests acts on each copy: nothing on our side could help.
WITHOUT_COPIES = tuple(fault for fault in FAULTS if not fault.startswith("repeats"))
SLOW_REQUEST_S = 0.3
COPY_AFTER_S = 1.0


class UnreliableNetwork:
    """Passes requests on to `upstream`, one in `every` with a fault, and half as many GETs.

    There are none while it `is_calm`. Faults come in turns and not by chance, so that each of them happens.
    An answer that is slow comes after `slow_answer_s`.
    """

    def __init__(self, upstream: str, faults: Sequence[Fault], *, every: int, slow_answer_s: float) -> None:
        parts = urlsplit(upstream)
        self._upstream = parts.hostname, parts.port
        self._turns = {
            is_read: itertools.cycle([turn for fault in faults for turn in (*[None] * (rate - 1), fault)])
            for is_read, rate in ((False, every), (True, 2 * every))
        }
        self._slow_answer_s = slow_answer_s
        self._serving: set[asyncio.Task[None]] = set()
        self._copies: set[asyncio.Task[None]] = set()
        self.is_calm = False
        self.happened: Counter[Fault] = Counter()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection. It ends with a request whose answer does not come."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                while await self._pass_on(reader, writer):
                    pass
        finally:
            writer.close()
            self._serving.discard(task)

    async def close(self) -> None:
        """End all connections."""
        tasks = [*self._serving, *self._copies]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def wait_delivered(self) -> None:
        """Return once no copy is on its way."""
        await asyncio.gather(*self._copies)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Pass on one request and its answer, and return whether the connection goes on."""
        request = await read_message(reader)
        fault = None if self.is_calm else next(self._turns[request.startswith(b"GET ")])
        if fault is not None:
            self.happened[fault] += 1
        if fault == "closes":
            return False
        if fault in {"first_byte", "cuts_request"}:
            await self._ask(request[: 1 if fault == "first_byte" else -7], is_whole=False)
            return False
        if fault == "slow_request":
            await asyncio.sleep(SLOW_REQUEST_S)
        answer = await self._ask(request)
        if fault == "repeats":
            answer = await self._ask(request)
        elif fault == "repeats_later":
            copy = asyncio.create_task(self._repeat(request))
            self._copies.add(copy)
            copy.add_done_callback(self._copies.discard)
        if fault == "slow_answer":
            await asyncio.sleep(self._slow_answer_s)
        if fault in {"cuts_answer", "halves_answer"}:
            writer.write(answer[: len(answer) // 2 if fault == "halves_answer" else 0])
            await writer.drain()
            return False
        writer.write(answer)
        await writer.drain()
        return True

    async def _repeat(self, request: bytes) -> None:
        await asyncio.sleep(COPY_AFTER_S)
        # The processor may be down.
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            await self._ask(request)

    async def _ask(self, request: bytes, *, is_whole: bool = True) -> bytes:
        return await ask_at(*self._upstream, request, is_whole=is_whole)


@contextlib.asynccontextmanager
async def unreliable_network(
    upstream: str, faults: Sequence[Fault], *, every: int, slow_answer_s: float
) -> AsyncIterator[UnreliableNetwork]:
    """Run one for the block."""
    network = UnreliableNetwork(upstream, faults, every=every, slow_answer_s=slow_answer_s)
    server = await asyncio.start_server(network.serve, "127.0.0.1", 0)
    network.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield network
    finally:
        server.close()
        await network.close()
