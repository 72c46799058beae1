"""What operators may ask for: the forms of the console, which role each needs, and the page that it is on."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from fastpay import limits
from fastpay.admin.console.answers import ROOT, is_tenant
from fastpay.admin.console.ports import Order

_KEY = re.compile(r"[0-9a-f]{32}")
# A method and a path with its placeholders, or all routes.
_ROUTE = re.compile(r"\*|[A-Z]{3,7} /[a-z0-9_{}/]{1,90}")
_RANKS = {"view": 0, "operate": 1, "admin": 2}
# Secrets, where events go, and which side answers a route are the administrators'. Whatever is not named here
# needs the role operate.
_FOR_ADMINS = {"keys", "routes", "tenants"}
_ENDPOINTS_FOR_ADMINS = {"create", "delete", "rotate", "update"}


def order_of(name: str, form: Mapping[str, str]) -> tuple[Order | None, str]:
    """Return what a form below the console's root asks for, and the page that it is on."""
    key = form.get("key", "")
    if not _KEY.fullmatch(key):
        return None, ""
    match name.split("/"):
        case ["tenants", "create"]:
            return Order("tenants", "", False, "", "create", form, key), f"{ROOT}tenants"
        case ["routes", ("set" | "rearm") as action] if _ROUTE.fullmatch(form.get("route", "")):
            return Order("routes", "", False, form["route"], action, form, key), f"{ROOT}routes"
        case [("tenants" | "keys" | "endpoints") as folder, tenant_id, ("test" | "live") as mode, action]:
            page = "settings" if folder == "tenants" else folder
            subject, back = tenant_id, f"{ROOT}{page}/{tenant_id}/{mode}"
        case [
            ("payments" | "endpoints" | "keys") as folder,
            tenant_id,
            ("test" | "live") as mode,
            subject,
            action,
        ]:
            back = f"{ROOT}{folder}/{tenant_id}/{mode}/{quote(subject)}"
        case _:
            return None, ""
    if not is_tenant(tenant_id) or len(subject) + len(action) > limits.console_name_chars_max:
        return None, ""
    return Order(folder, tenant_id, mode == "live", subject, action, form, key), back


def role_for(order: Order) -> str:
    """Return the lowest role that may ask for this."""
    is_for_admins = order.folder in _FOR_ADMINS or (
        order.folder == "endpoints" and order.action in _ENDPOINTS_FOR_ADMINS
    )
    return "admin" if is_for_admins else "operate"


def needs_proof(order: Order) -> bool:
    """Tell whether who asks must have shown a short while ago who it is: routes concern all tenants."""
    return order.folder == "routes"


def may(role: str, order: Order) -> bool:
    """Tell whether an operator of this role may ask for this."""
    return _RANKS.get(role, 0) >= _RANKS[role_for(order)]
