"""Comparisons beside requests that were answered: a bounded number of tasks, which no client waits for."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from fastpay import limits
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.rollout")


class ShadowTasks:
    """Runs comparisons."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def has_room(self) -> bool:
        """Whether another one may begin. If not, it is dropped: a queue would only delay it."""
        return len(self._tasks) < limits.shadow_requests_max

    def start(self) -> None:
        """Do nothing: a comparison begins with its request."""

    async def close(self) -> None:
        """End all of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin a comparison. Only if there is room."""
        task = asyncio.create_task(self._run(work), name="shadow")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001  a fault here must cost no client anything
            _log.exception("comparison_failed")
