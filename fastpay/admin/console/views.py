"""The console's pages for people who are signed in: what each shows, and from what."""

from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlencode

from fastpay import limits
from fastpay.admin.console.answers import Answer, Shown, View, is_tenant, missing, moved
from fastpay.admin.console.audit_views import AuditViews
from fastpay.admin.console.charts import Charts
from fastpay.admin.console.ports import HistoryStore, OperatorStore
from fastpay.admin.console.tenant_views import TenantViews
from fastpay.admin.console.timeline import build
from fastpay.clock import Clock


class Views:
    """The pages. `dependencies` has the state of each; `counts` what the process has counted."""

    def __init__(
        self,
        histories: HistoryStore,
        operators: OperatorStore,
        tenants: TenantViews,
        audit: AuditViews,
        clock: Clock,
        *,
        dependencies: Callable[[], Mapping[str, Mapping[str, object]]],
        counts: Callable[[], Mapping[str, int]],
    ) -> None:
        self._histories = histories
        self._operators = operators
        self._tenants = tenants
        self._clock = clock
        self._dependencies = dependencies
        self._counts = counts
        self._charts = Charts(counts, clock)
        self._fixed: dict[str, View] = {
            "": self._search,
            "tenants": self._list_tenants,
            "health": partial(self._show_health, "health.html"),
            "health/now": partial(self._show_health, "now.html"),
            **audit.views(),
        }

    def find(self, name: str) -> View | None:
        """Return the view of a path below the console's root."""
        if name in self._fixed:
            return self._fixed[name]
        match name.split("/"):
            case ["payments", tenant_id, ("test" | "live") as mode, identifier] if is_tenant(tenant_id):
                return partial(self._show_payment, tenant_id, mode, identifier)
        return self._tenants.find(name)

    async def _search(self, query: Mapping[str, str]) -> Answer | Shown:
        text = query.get("q", "").strip()[: limits.search_query_chars_max]
        if not text:
            return Shown(200, "search.html", {"q": "", "problem": ""})
        found = await self._histories.locate(text)
        if found is not None and found.payment_intent is not None:
            mode = "live" if found.livemode else "test"
            return moved(f"/console/payments/{found.tenant_id}/{mode}/{found.payment_intent}")
        if found is not None and found.identifier.startswith("cus_"):
            mode = "live" if found.livemode else "test"
            return moved(f"/console/tenants/{found.tenant_id}/{mode}?{urlencode({'q': found.identifier})}")
        problem = "Nothing has this identifier." if found is None else "This object belongs to no payment."
        return Shown(404 if found is None else 200, "search.html", {"q": text, "problem": problem})

    async def _show_payment(
        self, tenant_id: str, mode: str, identifier: str, _query: Mapping[str, str]
    ) -> Answer | Shown:
        history = await self._histories.history(tenant_id, mode == "live", identifier)
        if history is None:
            return missing("There is no such payment.", "/console/")
        latest = {change.identifier: change for change in history.changes}
        done = await self._operators.actions(identifier, limits.console_rows_max)
        values = {
            "key": self._clock.random_bytes(16).hex(),
            "actors": {action.request_id: action.operator for action in done},
            "offers": _offers(latest[identifier].shown),
            "history": history,
            "mode": mode,
            "tenant_id": tenant_id,
            "payment": latest[identifier].shown,
            "objects": list(latest.values()),
            "entries": build(history),
        }
        return Shown(200, "payment.html", values)

    async def _list_tenants(self, _query: Mapping[str, str]) -> Shown:
        return Shown(
            200,
            "tenants.html",
            {"key": self._clock.random_bytes(16).hex(), "tenants": await self._histories.tenants()},
        )

    async def _show_health(self, template: str, _query: Mapping[str, str]) -> Shown:
        values = {
            "charts": self._charts.take(),
            "dependencies": self._dependencies(),
            "counts": sorted(self._counts().items()),
        }
        return Shown(200, template, values)


def _offers(payment: Mapping[str, object]) -> list[str]:
    """Return what can be done with a payment in its state; whether it is carried out is decided later."""
    status = payment["status"]
    offers = ["capture"] if status == "requires_capture" else []
    if status in ("requires_capture", "requires_payment_method", "requires_confirmation", "requires_action"):
        offers.append("cancel")
    if status == "succeeded":
        offers.append("refund")
    return offers
