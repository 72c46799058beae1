"""The console's pages of one tenant: payments, accounts and their statements, requests."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from urllib.parse import urlencode

from fastpay import limits
from fastpay.admin.console.administration_views import AdministrationViews
from fastpay.admin.console.answers import Answer, Shown, View, is_tenant, missing, moved
from fastpay.admin.console.endpoint_views import EndpointViews
from fastpay.admin.console.ports import HistoryStore
from fastpay.admin.console.tenant_ports import TenantStore
from fastpay.clock import Clock
from fastpay.errors import InvalidRequest

_TENANTS = "/console/tenants"
_TRANSFER = re.compile(r"(?:tr|ltr)_[0-9a-f]{32}")
_REQUEST = re.compile(r"req_[0-9a-f]{24}")


class TenantViews:
    """The pages."""

    def __init__(self, histories: HistoryStore, tenants: TenantStore, clock: Clock) -> None:
        self._histories = histories
        self._tenants = tenants
        self._clock = clock
        self._administration = AdministrationViews(tenants, clock)
        self._endpoints = EndpointViews(tenants, clock)

    def find(self, name: str) -> View | None:
        """Return the view of a path below the console's root."""
        match name.split("/"):
            case [folder, tenant_id, ("test" | "live") as mode, *rest] if is_tenant(tenant_id):
                return self._find(folder, tenant_id, mode, rest)
        return None

    def _find(self, folder: str, tenant_id: str, mode: str, rest: list[str]) -> View | None:
        match folder, rest:
            case "tenants", []:
                return partial(self._show_tenant, tenant_id, mode)
            case "tenants", ["verify"]:
                return partial(self._verify, tenant_id, mode)
            case "tenants", ["accounts", currency, code]:
                return partial(self._show_account, tenant_id, mode, currency, code)
            case "requests", [identifier]:
                return partial(self._show_request, tenant_id, mode, identifier)
        administration = self._administration.find(folder, tenant_id, mode, rest)
        return administration or self._endpoints.find(folder, tenant_id, mode, rest)

    async def _show_tenant(self, tenant_id: str, mode: str, query: Mapping[str, str]) -> Answer | Shown:
        text, livemode = query.get("q", "").strip()[: limits.search_query_chars_max], mode == "live"
        if _REQUEST.fullmatch(text):
            return moved(f"/console/requests/{tenant_id}/{mode}/{text}")
        settings = await self._tenants.settings(tenant_id, livemode)
        if settings is None:
            return missing("There is no such tenant.", _TENANTS)
        payments: list[dict[str, object]] = []
        problem = ""
        try:
            moment_ms = _moment_of(query.get("at", ""))
            if text:
                payments = await self._histories.search(tenant_id, livemode, text)
        except InvalidRequest as refusal:
            moment_ms, problem = None, refusal.message
        values = {
            "tenant_id": tenant_id,
            "name": settings.name,
            "mode": mode,
            "q": text,
            "at": query.get("at", ""),
            "problem": problem,
            "payments": payments,
            "accounts": await self._tenants.accounts(tenant_id, livemode, moment_ms),
        }
        return Shown(400 if problem else 200, "tenant.html", values)

    async def _verify(self, tenant_id: str, mode: str, _query: Mapping[str, str]) -> Shown:
        if await self._tenants.settings(tenant_id, mode == "live") is None:
            return missing("There is no such tenant.", _TENANTS)
        problems = await self._tenants.verify(tenant_id, mode == "live")
        return Shown(200, "verified.html", {"tenant_id": tenant_id, "mode": mode, "problems": problems})

    async def _show_account(
        self, tenant_id: str, mode: str, currency: str, code: str, query: Mapping[str, str]
    ) -> Shown:
        before = query.get("before", "")
        if not _TRANSFER.fullmatch(before):
            before = ""
        found = await self._tenants.statement(tenant_id, mode == "live", currency, code, before)
        if found is None:
            return missing("There is no such account.", f"{_TENANTS}/{tenant_id}/{mode}")
        account, lines = found
        older = urlencode({"before": lines[-1].transfer_id}) if len(lines) == limits.console_rows_max else ""
        values = {"tenant_id": tenant_id, "mode": mode, "account": account, "lines": lines, "older": older}
        return Shown(200, "account.html", values)

    async def _show_request(
        self, tenant_id: str, mode: str, identifier: str, _query: Mapping[str, str]
    ) -> Shown:
        found = None
        if _REQUEST.fullmatch(identifier):
            found = await self._tenants.request(tenant_id, mode == "live", identifier)
        if found is None:
            message = "The request log has nothing of this request. It may be off, sampled, or too old."
            return missing(message, f"{_TENANTS}/{tenant_id}/{mode}")
        values = {"request": found, "tenant_id": tenant_id, "mode": mode}
        return Shown(200, "request.html", values)


def _moment_of(typed: str) -> int | None:
    """Return a time in UTC, such as 2026-11-29T09:30, in milliseconds since 1970. Raises: InvalidRequest."""
    if not typed:
        return None
    try:
        return int(datetime.fromisoformat(f"{typed}+00:00").timestamp() * 1000)
    except ValueError:
        raise InvalidRequest("Type a time in UTC as year, month, day, hour and minute.", param="at") from None
