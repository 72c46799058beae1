"""The console's pages for the administration of a tenant: its settings, and its API keys."""

from collections.abc import Mapping
from functools import partial

from fastpay import limits
from fastpay.admin.console.answers import ROOT, Shown, View, missing
from fastpay.admin.console.tenant_ports import TenantStore
from fastpay.clock import Clock


class AdministrationViews:
    """The pages. Whoever may not change anything sees them without forms."""

    def __init__(self, tenants: TenantStore, clock: Clock) -> None:
        self._tenants = tenants
        self._clock = clock

    def find(self, folder: str, tenant_id: str, mode: str, rest: list[str]) -> View | None:
        """Return the view of a page of a tenant."""
        match folder, rest:
            case "settings", []:
                return partial(self._show_settings, tenant_id, mode)
            case "keys", []:
                return partial(self._list_keys, tenant_id, mode)
            case "keys", [key_id]:
                return partial(self._show_key, tenant_id, mode, key_id)
        return None

    async def _show_settings(self, tenant_id: str, mode: str, _query: Mapping[str, str]) -> Shown:
        values = await self._values(tenant_id, mode)
        if values is None:
            return missing("There is no such tenant.", f"{ROOT}tenants")
        return Shown(200, "settings.html", {**values, "intervals": limits.payout_intervals})

    async def _list_keys(self, tenant_id: str, mode: str, _query: Mapping[str, str]) -> Shown:
        values = await self._values(tenant_id, mode)
        if values is None:
            return missing("There is no such tenant.", f"{ROOT}tenants")
        keys = await self._tenants.keys(tenant_id, mode == "live")
        return Shown(200, "keys.html", {**values, "keys": keys})

    async def _show_key(self, tenant_id: str, mode: str, key_id: str, _query: Mapping[str, str]) -> Shown:
        keys = await self._tenants.keys(tenant_id, mode == "live")
        found = next((one for one in keys if one.key_id == key_id), None)
        values = None if found is None else await self._values(tenant_id, mode)
        if values is None:
            return missing("There is no such key.", f"{ROOT}keys/{tenant_id}/{mode}")
        return Shown(200, "key.html", {**values, "one": found})

    async def _values(self, tenant_id: str, mode: str) -> dict[str, object] | None:
        """Return what every page of a tenant shows, None if there is no such tenant."""
        settings = await self._tenants.settings(tenant_id, mode == "live")
        if settings is None:
            return None
        return {
            "key": self._clock.random_bytes(16).hex(),
            "settings": settings,
            "tenant_id": tenant_id,
            "mode": mode,
        }
