"""Puts together what an instance needs to stand in front of an older API."""

from typing import TYPE_CHECKING

from fastpay.config import Settings
from fastpay.engine.dependencies import Dependency

if TYPE_CHECKING:
    from fastpay.outbound.legacy.client import LegacyClient


def open_legacy(settings: Settings, dependency: Dependency) -> "LegacyClient | None":
    """Return what passes requests to the legacy API, None without one. It is to be closed."""
    if settings.legacy_url is None:
        return None
    # With the client come 150 modules, which other installations never need.
    from fastpay.outbound.legacy.client import LegacyClient  # noqa: PLC0415

    return LegacyClient(
        settings.legacy_url,
        part=dependency.part(),
        timeout_ms=settings.legacy_timeout_ms,
        connections_max=settings.legacy_connections_max,
        idle_ms=settings.legacy_idle_ms,
    )
