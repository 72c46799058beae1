"""What is returned in the place of a coroutine when the result is known."""

import asyncio
import sys
from typing import Any

import pytest

from fastpay._native.awaitables import Ready


async def _awaited(value: Any) -> Any:
    return await Ready(value)


@pytest.mark.parametrize("value", [None, 0, b"", {"a": 1}, (1, 2), ValueError("a value like others")])
def test_a_result_that_is_known_is_what_an_await_gives(value: Any) -> None:
    assert asyncio.run(_awaited(value)) is value


def test_a_result_may_be_awaited_again_and_is_not_kept_beyond() -> None:
    value = object()
    before = sys.getrefcount(value)

    async def again() -> None:
        ready = Ready(value)
        for _ in range(100):
            assert await ready is value

    asyncio.run(again())
    assert sys.getrefcount(value) == before


def test_a_result_can_be_made_a_task() -> None:
    async def run() -> Any:
        return await asyncio.gather(Ready(1), asyncio.ensure_future(Ready(2)))

    assert asyncio.run(run()) == [1, 2]
