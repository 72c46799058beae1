"""The console's page about the rollout: which side answers each route, what was found, and why one is red."""

from collections.abc import Mapping
from typing import Any, Protocol

from fastpay import limits
from fastpay.admin.console.answers import Shown, View
from fastpay.clock import Clock


class ReportStore(Protocol):
    """What the page shows."""

    async def report(self) -> Mapping[str, Any]:
        """Return the report that `fastpay rollout report` writes. Raises: DatabaseUnavailable, Overloaded."""


class RolloutViews:
    """The page. `is_in_front` tells whether there is an older API behind this instance."""

    def __init__(self, store: ReportStore, clock: Clock, *, is_in_front: bool) -> None:
        self._store = store
        self._clock = clock
        self._is_in_front = is_in_front

    def views(self) -> Mapping[str, View]:
        """Return the page by its path below the console's root."""
        return {"routes": self._show}

    async def _show(self, _query: Mapping[str, str]) -> Shown:
        report = await self._store.report()
        routes, history = report["routes"], report["history"]
        values = {
            "key": self._clock.random_bytes(16).hex(),
            "is_in_front": self._is_in_front,
            "routes": routes,
            "red": [one for one in routes if (one["verdict"] or "").startswith("red")],
            "mistaken": report["mistaken"],
            "watched": [one for one in routes if one["verdict"] is not None],
            "history": history[: limits.console_rows_max],
            "seen": history[0]["state"]["change"] if history else 0,
        }
        return Shown(200, "rollout.html", values)
