"""fastpay/engine/processors/alarms.py: each item rings once and in its time, unless it was removed."""

import asyncio
from typing import Any

import pytest

from fastpay.engine.processors.alarms import Alarms


class Loop:
    """The running event loop, whose timers are counted."""

    def __init__(self) -> None:
        self.timers = 0
        self._loop = asyncio.get_running_loop()
        self.time = self._loop.time

    def call_later(self, *arguments: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return self._loop.call_later(*arguments)


async def test_one_timer_rings_for_all_in_their_order_but_for_who_was_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, rung = Loop(), list[tuple[str, float]]()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    over = asyncio.Event()

    def ring(item: str) -> None:
        rung.append((item, loop.time()))
        if item == "last":
            over.set()

    alarms, begun_s = Alarms(0.05, ring), loop.time()
    monkeypatch.undo()
    for item in ("first", "removed", "second"):
        alarms.add(item)
    alarms.remove("removed")
    assert loop.timers == 1
    assert [item in alarms for item in ("first", "removed")] == [True, False]
    await asyncio.sleep(0.03)
    added_s = loop.time()
    alarms.add("last")
    await over.wait()
    assert [item for item, _ in rung] == ["first", "second", "last"]
    assert rung[0][1] >= begun_s + 0.05
    assert rung[2][1] >= added_s + 0.05
    assert "last" not in alarms
    # One for the oldest, one for who came later, and each may come up to a millisecond too early.
    before = loop.timers
    assert before <= 4
    alarms.add("last")
    assert loop.timers == before + 1
    alarms.close()


async def test_what_is_closed_rings_no_more() -> None:
    rung: list[str] = []
    alarms = Alarms(0.0, rung.append)
    alarms.add("one")
    alarms.close()
    alarms.add("two")
    await asyncio.sleep(0.02)
    assert rung == []
    # Whoever asks still learns that it has not rung.
    assert "one" in alarms
