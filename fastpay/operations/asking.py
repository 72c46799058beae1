"""For commands that ask a running server, with an API key, over HTTP."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from fastpay.clock import SystemClock
from fastpay.errors import ConfigurationError
from fastpay.operations.demo.client import Client
from fastpay.outbound.http import Answer


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """The server to ask, and the key to ask with."""

    url: str
    key: str


def post(server: Server, path: str, params: Mapping[str, Any]) -> Any:
    """Send a POST, and return the answer in JSON. Raises: ConfigurationError."""
    key = SystemClock().random_bytes(16).hex()
    return ask(server, lambda client: client.post(path, key, params))


def ask(server: Server, question: Callable[[Client], Awaitable[Answer]]) -> Any:
    """Return the answer in JSON. Raises: ConfigurationError with the server's message if it is an error."""

    async def run() -> Answer:
        client = Client(server.url, server.key)
        try:
            return await question(client)
        finally:
            await client.close()

    answer = asyncio.run(run())
    try:
        body = answer.json()
    except msgspec.DecodeError:
        raise ConfigurationError(f"the server answers {answer.status} without JSON") from None
    if answer.status != 200:
        raise ConfigurationError(f"the server refuses: {body['error']['message']}")
    return body


def given(**values: Any) -> dict[str, Any]:
    """Return the values that are there."""
    return {name: value for name, value in values.items() if value is not None and value != ()}


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table whose lines are whole, so that other programs can read it."""
    lines = [
        columns,
        *(["-" if value is None else " ".join(str(value).split()) for value in row] for row in rows),
    ]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    for line in lines:
        say("  ".join(map(str.ljust, line, widths)).rstrip())


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
