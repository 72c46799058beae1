"""The demo: thousands of mixed payments over HTTP against a real server, and the outcome of each."""

import asyncio
import contextlib
import signal
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fastpay.clock import SystemClock
from fastpay.errors import ConfigurationError
from fastpay.operations.demo.audit import (
    check_books,
    compare,
    list_payments,
    newest_payment,
    read_back,
    verify_books,
)
from fastpay.operations.demo.client import Client
from fastpay.operations.demo.payments import Customers, Order, plan_orders
from fastpay.operations.demo.report import Findings, show, show_next, show_reads
from fastpay.operations.demo.server import Target, run_server

# The exit status that a shell reports for a program ended by Ctrl-C.
_INTERRUPTED = 130
_PIPE_COLUMNS = 100


def run(*, payments: int, concurrency: int, url: str | None, key: str | None, data_dir: str | None) -> int:
    """Make the payments and print the results; return 0 if everything agrees, otherwise 1.

    With `url` and `key` it uses a running server, otherwise it starts one, on `data_dir` or on a temporary
    directory. Raises: ConfigurationError if there is no server.
    """
    if (url is None) != (key is None):
        raise ConfigurationError(
            "--url and --key go together: the server's address, and a secret key of that server"
        )
    if url is not None and data_dir is not None:
        raise ConfigurationError("--data-dir is for the demo's own server, and --url names another one")
    if key is not None and not key.startswith("sk_test_"):
        raise ConfigurationError("the demo makes test payments: give a key that begins with sk_test_")
    console = Console(highlight=False)
    counts: dict[str, int] = {}
    if not console.is_terminal:
        # A pipe has no width.
        console.width = _PIPE_COLUMNS
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_interrupted_by_signals())
            if url is not None and key is not None:
                target = Target(url, key)
            else:
                console.print("Starting the demo's own server...")
                target = stack.enter_context(run_server(data_dir, counts))
            findings = asyncio.run(_trade_until_told(console, target, payments, concurrency))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Stopped.")
        return _INTERRUPTED
    show(console, findings)
    show_reads(console, counts)
    show_next(console, url=url, data_dir=data_dir)
    return 1 if findings.faults else 0


async def _trade_until_told(console: Console, target: Target, payments: int, concurrency: int) -> Findings:
    """Make the payments, and end in order at a signal: an exception inside the loop could get lost."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await _trade(console, target, payments, concurrency)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        # The server must still be stopped, and a second signal must not leave it behind.
        signal.signal(signal.SIGTERM, _interrupt)


async def _trade(console: Console, target: Target, payments: int, concurrency: int) -> Findings:
    """Serve all orders with bounded concurrency, and compare the results with the server's."""
    clock = SystemClock()
    run_name = clock.random_bytes(6).hex()
    seed = int.from_bytes(clock.random_bytes(4), "big")
    orders = plan_orders(payments, seed)
    console.print(f"{payments:,} payments to {target.url}, {concurrency} at a time (run {run_name}).")
    client = Client(target.url, target.test_key)
    customers = Customers(client, run_name)
    try:
        newest = await newest_payment(client)
        started = time.monotonic()
        await _serve_all(console, customers, orders, concurrency)
        seconds = time.monotonic() - started
        found = await list_payments(client, run_name, after=newest)
        misread = await read_back(client, found, at_once=concurrency)
        books = await verify_books(client)
    finally:
        await client.close()
    return Findings(
        expected=customers.payments,
        found=found,
        books=books,
        faults=[*customers.faults, *compare(customers.payments, found), *misread, *check_books(books)],
        latencies_ms=customers.latencies_ms,
        kinds=Counter(order.kind for order in orders),
        retries=client.retries,
        seconds=seconds,
    )


async def _serve_all(console: Console, customers: Customers, orders: list[Order], concurrency: int) -> None:
    waiting = deque(orders)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("payments"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("payments", total=len(orders))

        async def serve() -> None:
            while waiting:
                await customers.serve(waiting.popleft())
                progress.advance(task)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(serve())
        except* ConfigurationError as errors:
            raise errors.exceptions[0] from None


@contextlib.contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Make SIGTERM unwind the work, as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
