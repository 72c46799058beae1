"""What tests of the engine share."""

import asyncio

import pytest


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make the writer's backoff take no time, and note it in seconds."""
    noted: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        if seconds:
            noted.append(seconds)
        await sleep(0)

    monkeypatch.setattr("fastpay.engine.write.loop.asyncio.sleep", note)
    return noted
