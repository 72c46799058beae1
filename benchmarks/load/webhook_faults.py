"""Faults beside webhooks: an instance that ends, and a snapshot that stays open."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import asyncpg

from benchmarks.load.machine import Machine, fetch_value
from benchmarks.load.serving import serve

_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.01
_HELD = "select count(*) from webhook_cursor where holder = '{}'"
_OTHERS = "select count(*) from webhook_cursor where holder <> '{}'"
_HOLDER = "select min(holder::text) from webhook_cursor"


def seconds_to_takeover(
    machine: Machine, url: str, *, endpoints: int, rounds: int, more: Mapping[str, str]
) -> dict[str, list[float]]:
    """Return how long after the end of an instance another one has all of its endpoints.

    One instance runs already, and has them all. In each round another one is killed, and one is stopped.
    """
    _wait(url, "select count(*) from webhook_cursor where holder is not null", endpoints)
    staying = fetch_value(url, _HOLDER)
    found: dict[str, list[float]] = {"killed_s": [], "stopped_s": []}
    for number in range(2 * rounds):
        how, name = ((signal.SIGKILL, "killed_s"), (signal.SIGTERM, "stopped_s"))[number % 2]
        with serve(
            "fastpay",
            database_url=url,
            redis_url=machine.redis_url,
            directory=machine.directory,
            instance=1 + number,
            more=more,
        ) as ending:
            _wait(url, _OTHERS.format(staying), endpoints // 2)
            begun_s = time.monotonic()
            os.kill(ending.pid, how)
            _wait(url, _HELD.format(staying), endpoints)
            found[name].append(time.monotonic() - begun_s)
    return found


@contextmanager
def old_snapshot(url: str) -> Iterator[None]:
    """Keep a transaction in REPEATABLE READ open for the block."""
    is_open, is_over = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("begin isolation level repeatable read")
            await connection.fetch("select count(*) from event")
            is_open.set()
            await asyncio.to_thread(is_over.wait)
        finally:
            await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    try:
        if not is_open.wait(_PATIENCE_SECONDS):
            raise SystemExit("the snapshot could not be opened")
        yield
    finally:
        is_over.set()
        thread.join()


def _wait(url: str, query: str, wanted: int) -> None:
    """Return once a query has this value, asked on one connection."""

    async def look() -> None:
        connection = await asyncpg.connect(url)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while True:
                    if await connection.fetchval(query) == wanted:
                        return
                    await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await connection.close()

    asyncio.run(look())
