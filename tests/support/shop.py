"""A tenant in which everything has happened once, for clients that look at whatever is there."""

from typing import Any

import httpx

PAY = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}


class Shop:
    """A tenant in which everything has happened once."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def post(self, path: str, **fields: str) -> Any:
        """Return the answer, None where the path is not served."""
        answer = self._http.post(f"/v1/{path}", data=fields)
        return answer.json() if answer.status_code in {200, 402} else None

    def live(self) -> None:
        """Make one of everything, in states that differ."""
        customer = self.post("customers", name="Ada", email="ada@example.com")["id"]
        self.post("payment_methods/pm_card_visa/attach", customer=customer)
        for more in ({}, {"customer": customer, "setup_future_usage": "off_session"}):
            paid = self.post("payment_intents", **PAY, **more)
            self.post("refunds", payment_intent=paid["id"], amount="500")
        self.post("payment_intents", **PAY, capture_method="manual")
        self.post("payment_intents", amount="5", currency="eur")
        for card in ("pm_card_chargeDeclined", "pm_card_authenticationRequired", "pm_card_bypassPending"):
            self.post("payment_intents", **{**PAY, "payment_method": card})
        self.post("setup_intents", payment_method="pm_card_visa", confirm="true", customer=customer)
        self.post("payouts", amount="100", currency="usd")
        self.post("webhook_endpoints", **{"url": "https://receiver.example/", "enabled_events[]": "topup.*"})
        # It takes what it is about out of what is available.
        self.post("payment_intents", **{**PAY, "payment_method": "pm_card_createDispute"})

    def connect(self) -> None:
        """Transfer to a connected account, which has no data of its own to look at."""
        self.post("payment_intents", **{**PAY, "payment_method": "pm_card_bypassPending"})
        connected = self.post("accounts", country="US")["id"]
        transfer = self.post("transfers", amount="100", currency="usd", destination=connected)["id"]
        self.post(f"transfers/{transfer}/reversals", amount="10")
        split = {"transfer_data[destination]": connected, "application_fee_amount": "50"}
        charge = self.post("payment_intents", **PAY, **split, **{"expand[]": "latest_charge"})[
            "latest_charge"
        ]
        self.post(f"application_fees/{charge['application_fee']}/refunds", amount="5")

    def ids(self, path: str) -> list[str]:
        """Return the identifiers that are served, none where the path is not."""
        body = self.get(f"/v1/{path}", {} if path == "account" else {"limit": "100"})
        return [] if body is None else sorted(item["id"] for item in body.get("data", [body]))

    def get(self, path: str, query: dict[str, str]) -> Any:
        """Return the answer, None if it is no success."""
        answer = self._http.get(path, params=query)
        return answer.json() if answer.status_code == 200 else None
