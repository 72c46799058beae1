"""The console's pages of webhook endpoints: how far deliveries are, the attempts, and what can be done."""

import re
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlencode

from fastpay import limits
from fastpay.admin.console.answers import ROOT, Shown, View, missing
from fastpay.admin.console.tenant_ports import Endpoint, TenantStore
from fastpay.clock import Clock

_POSITION = re.compile(r"[0-9a-f]{32}", re.ASCII)
_EVENT = re.compile(r"evt_[0-9a-f]{32}", re.ASCII)
_ORDERS = ("parallel", "object", "strict")
_PAYLOADS = ("full", "thin")
_NEW = Endpoint("", 0, "", "", ("*",), "parallel", "full", None, (), 0, "enabled", None, "closed", 0, 0, None)


class EndpointViews:
    """The pages. Whoever may not change anything sees them without forms."""

    def __init__(self, tenants: TenantStore, clock: Clock) -> None:
        self._tenants = tenants
        self._clock = clock

    def find(self, folder: str, tenant_id: str, mode: str, rest: list[str]) -> View | None:
        """Return the view of a page of a tenant."""
        match folder, rest:
            case "endpoints", []:
                return partial(self._list, tenant_id, mode)
            case "endpoints", [identifier]:
                return partial(self._show, tenant_id, mode, identifier)
        return None

    async def _list(self, tenant_id: str, mode: str, _query: Mapping[str, str]) -> Shown:
        settings = await self._tenants.settings(tenant_id, mode == "live")
        if settings is None:
            return missing("There is no such tenant.", f"{ROOT}tenants")
        endpoints = await self._tenants.endpoints(tenant_id, mode == "live")
        values = {"name": settings.name, "endpoints": endpoints, "endpoint": _NEW}
        return Shown(200, "endpoints.html", {**self._values(tenant_id, mode), **values})

    async def _show(self, tenant_id: str, mode: str, identifier: str, query: Mapping[str, str]) -> Shown:
        livemode = mode == "live"
        endpoints = await self._tenants.endpoints(tenant_id, livemode)
        endpoint = next((one for one in endpoints if one.endpoint_id == identifier), None)
        if endpoint is None:
            return missing("There is no such endpoint.", f"{ROOT}endpoints/{tenant_id}/{mode}")
        event, below = query.get("event", "").strip(), query.get("below", "")
        failed = query.get("failed") == "1"
        known = event if _EVENT.fullmatch(event) else ""
        attempts = await self._tenants.attempts(
            tenant_id,
            livemode,
            identifier,
            below=below if _POSITION.fullmatch(below) else "",
            event=known,
            failed=failed,
        )
        older = ""
        if len(attempts) == limits.console_rows_max:
            asked = {"event": known, "failed": "1" if failed else "", "below": attempts[-1].position}
            older = urlencode({name: value for name, value in asked.items() if value})
        values = {
            "endpoint": endpoint,
            "attempts": attempts if known or not event else [],
            "replays": await self._tenants.replays(tenant_id, livemode, identifier),
            "event": event,
            "failed": failed,
            "older": older,
        }
        return Shown(200, "endpoint.html", {**self._values(tenant_id, mode), **values})

    def _values(self, tenant_id: str, mode: str) -> dict[str, object]:
        return {
            "key": self._clock.random_bytes(16).hex(),
            "tenant_id": tenant_id,
            "mode": mode,
            "orders": _ORDERS,
            "payloads": _PAYLOADS,
        }
