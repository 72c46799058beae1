"""A tenant on the running server, and what there is to set up in it."""

from typing import Any

import httpx


class Shop:
    """A tenant on the running server, through plain HTTP: nothing that a client could smooth over."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def get(self, path: str, **query: str) -> Any:
        return self._http.get(path, params=query).raise_for_status().json()

    def post(self, path: str, fields: dict[str, str] | None = None, *, status: int = 200) -> Any:
        answer = self._http.post(path, data=fields)
        assert answer.status_code == status, answer.text
        return answer.json()

    def delete(self, path: str) -> Any:
        return self._http.delete(path).raise_for_status().json()

    def intent(self, *, status: int = 200, **fields: str) -> Any:
        named = {
            first + "".join(f"[{part}]" for part in inner): value
            for (first, *inner), value in ((name.split("__"), value) for name, value in fields.items())
        }
        return self.post("/v1/payment_intents", {"amount": "2000", "currency": "usd", **named}, status=status)

    def pay(self, card: str = "pm_card_visa", *, status: int = 200, **fields: str) -> Any:
        return self.intent(status=status, payment_method=card, confirm="true", **fields)

    def charge(self, intent: Any) -> Any:
        return self.get(f"/v1/charges/{intent['latest_charge']}")


def setups_made(shop: Shop, people: dict[str, Any]) -> dict[str, Any]:
    """Return setup intents in every state, with their attempts and mandates."""
    accepted = {
        "mandate_data[customer_acceptance][type]": "online",
        "mandate_data[customer_acceptance][online][ip_address]": "192.0.2.1",
        "mandate_data[customer_acceptance][online][user_agent]": "Browser",
    }
    confirmed = {"confirm": "true", "payment_method": "pm_card_visa"}
    owner = people["customer: full"]["id"]
    done = shop.post("/v1/setup_intents", {**confirmed, **accepted, "customer": owner, "metadata[a]": "1"})
    once = {**accepted, "single_use[amount]": "500", "single_use[currency]": "usd"}
    single = shop.post("/v1/setup_intents", {**confirmed, **once, "attach_to_self": "true"})
    waiting, asked, unsure = (
        shop.post(
            "/v1/setup_intents",
            {"confirm": "true", "payment_method": "pm_card_authenticationRequired", "return_url": back},
        )
        for back in ("https://shop.example/back",) * 3
    )
    helper = "/v1/test_helpers/setup_intents"
    refused = shop.post(
        "/v1/setup_intents", {"confirm": "true", "payment_method": "pm_card_chargeDeclined"}, status=402
    )["error"]
    fresh = shop.post("/v1/setup_intents", {"payment_method_types[]": "card", "usage": "on_session"})
    shown = {
        "setup: new": fresh,
        "setup: to confirm": shop.post("/v1/setup_intents", {"payment_method": "pm_card_visa"}),
        "setup: done": done,
        "setup: for one payment": single,
        "setup: waiting for the cardholder": waiting,
        "setup: authenticated": shop.post(f"{helper}/{asked['id']}/authenticate"),
        "setup: not authenticated": shop.post(f"{helper}/{unsure['id']}/authenticate", {"outcome": "failed"}),
        "setup: declined, in the error": refused["setup_intent"],
        "setup: canceled": shop.post(f"/v1/setup_intents/{fresh['id']}/cancel"),
        "setup: everything expanded": shop.get(
            f"/v1/setup_intents/{done['id']}",
            **{"expand[0]": "latest_attempt.payment_method", "expand[1]": "mandate.payment_method"},
        ),
        "mandate: multi use": shop.get(f"/v1/mandates/{done['mandate']}"),
        "mandate: single use": shop.get(f"/v1/mandates/{single['single_use_mandate']}"),
        "method: in an error of a setup": refused["payment_method"],
    }
    for name, setup in list(shown.items()):
        if setup["object"] == "setup_intent" and setup["latest_attempt"] is not None:
            (attempt,) = shop.get("/v1/setup_attempts", setup_intent=setup["id"])["data"]
            shown[f"attempt: {name}"] = attempt
    return shown
