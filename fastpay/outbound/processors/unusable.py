"""A processor that cannot be called, since its configuration cannot be read."""

from collections.abc import Mapping

from fastpay.engine.processors.ports import Declaration, Ignored, Notice, Order, Outcome


class UnusableProcessor:
    """Satisfies `Processor`. Nothing is sent, and what was sent before stays unknown."""

    declaration = Declaration()

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def carry_out(self, order: Order, *, timeout_ms: int) -> Outcome:
        """Send nothing."""
        return Outcome(status="not_sent", reason=self._reason)

    async def inquire(self, order: Order, *, timeout_ms: int) -> Outcome | None:
        """Return that nothing is known."""
        return Outcome(status="unknown", reason=self._reason)

    def receive(self, headers: Mapping[str, str], body: bytes) -> Notice | Ignored | None:
        """Trust no webhook."""
        return None

    async def check(self, *, timeout_ms: int) -> str | None:
        """Return the reason."""
        return self._reason
