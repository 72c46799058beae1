"""A deadline for answers that take several reads."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from fastpay import limits
from fastpay.errors import DatabaseUnavailable

_Answer = TypeVar("_Answer")


async def in_time(answering: Awaitable[_Answer]) -> _Answer:
    """Return the answer. Raises: DatabaseUnavailable after `read_timeout_ms`."""
    try:
        async with asyncio.timeout(limits.read_timeout_ms / 1000):
            return await answering
    except TimeoutError as error:
        raise DatabaseUnavailable("The database did not answer in time. Try again.") from error
