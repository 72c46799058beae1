"""The console's pages for people who are signed in: what each shows, and from what."""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from urllib.parse import urlencode

from fastpay import limits
from fastpay.admin.console.answers import Answer, Shown, View, is_tenant, missing, moved
from fastpay.admin.console.charts import Charts
from fastpay.admin.console.ports import Change, Found, HistoryStore, OperatorStore, ProcessState
from fastpay.admin.console.tenant_views import TenantViews
from fastpay.admin.console.timeline import build
from fastpay.clock import Clock
from fastpay.errors import InvalidRequest

# What people know of a payment beside its identifier: the last digits of a card, an amount, an email address.
_SEARCHED = re.compile(r"[0-9]{4}|[0-9.]+ ?[A-Za-z]{3}|[0-9]+\.[0-9]{2}|.*[:~<>@].*", re.ASCII)


class Views:
    """The pages."""

    def __init__(
        self,
        histories: HistoryStore,
        operators: OperatorStore,
        tenants: TenantViews,
        fixed: Mapping[str, View],
        clock: Clock,
        *,
        state: ProcessState,
    ) -> None:
        self._histories = histories
        self._operators = operators
        self._tenants = tenants
        self._clock = clock
        self._state = state
        self._charts = Charts(state.counts, clock)
        self._fixed: dict[str, View] = {
            "": self._search,
            "tenants": self._list_tenants,
            "health": partial(self._show_health, "health.html"),
            "health/now": partial(self._show_health, "now.html"),
            **fixed,
        }

    def find(self, name: str) -> View | None:
        """Return the view of a path below the console's root."""
        if name in self._fixed:
            return self._fixed[name]
        match name.split("/"):
            case [("payments" | "objects") as folder, tenant_id, ("test" | "live") as mode, identifier] if (
                is_tenant(tenant_id)
            ):
                return partial(self._show_object, folder, tenant_id, mode, identifier)
        return self._tenants.find(name)

    async def _search(self, query: Mapping[str, str]) -> Answer | Shown:
        text = query.get("q", "").strip()[: limits.search_query_chars_max]
        values: dict[str, object] = {"q": text, "problem": "", "found": None}
        if not text:
            return Shown(200, "search.html", values)
        found = await self._histories.locate(text)
        if found is not None:
            return moved(_path_of(found))
        if _SEARCHED.fullmatch(text) is None:
            values["problem"] = "Nothing has this identifier."
            if text.startswith("req_"):
                values["problem"] = "The request log has nothing of this request. It may be off, or too old."
            return Shown(404, "search.html", values)
        try:
            values["found"] = await self._histories.search_everywhere(text)
        except InvalidRequest as refusal:
            return Shown(400, "search.html", {**values, "problem": refusal.message})
        return Shown(200, "search.html", values)

    async def _show_object(
        self, folder: str, tenant_id: str, mode: str, identifier: str, query: Mapping[str, str]
    ) -> Answer | Shown:
        is_payment = folder == "payments"
        history = None
        if identifier.startswith("pi_") is is_payment:
            history = await self._histories.history(
                tenant_id, mode == "live", identifier, thorough=query.get("balances") == "all"
            )
        if history is None:
            noun = "payment" if is_payment else "object"
            return missing(f"There is no such {noun}.", "/console/")
        latest = {change.identifier: change for change in history.changes}
        shown = latest[identifier].shown
        done = await self._operators.actions(identifier, limits.console_rows_max)
        values = {
            "key": self._clock.random_bytes(16).hex(),
            "offers": _offers(shown) if is_payment else [],
            "history": history,
            "mode": mode,
            "tenant_id": tenant_id,
            "change": latest[identifier],
            "payment": shown,
            "left": _left(latest.values()),
            "objects": list(latest.values()),
            "entries": build(history, done),
        }
        return Shown(200, "payment.html" if is_payment else "object.html", values)

    async def _list_tenants(self, _query: Mapping[str, str]) -> Shown:
        return Shown(
            200,
            "tenants.html",
            {"key": self._clock.random_bytes(16).hex(), "tenants": await self._histories.tenants()},
        )

    async def _show_health(self, template: str, _query: Mapping[str, str]) -> Shown:
        values = {
            "charts": self._charts.take(),
            "dependencies": self._state.dependencies(),
            "pools": self._state.pools(),
            "counts": sorted(self._state.counts().items()),
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


def _left(changes: Iterable[Change]) -> int:
    """Return how much of the charges of a payment is captured and not refunded."""
    charges = [change.shown for change in changes if change.noun == "charge" and change.shown["captured"]]
    return sum(int(str(one["amount_captured"])) - int(str(one["amount_refunded"])) for one in charges)


def _path_of(found: Found) -> str:
    """Return the address of the page of something that was found."""
    place = f"/console/{found.folder}/{found.tenant_id}/{'live' if found.livemode else 'test'}"
    if found.folder == "tenants":
        return f"{place}?{urlencode({'q': found.name})}"
    return f"{place}/{found.name}" if found.name else place
