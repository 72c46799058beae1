"""A tenant on a running server that takes payments with magic cards, through plain HTTP."""

from typing import Any

import httpx

from tests.support import api

AMOUNT = 1000


class Shop:
    """The tenant."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def get(self, path: str, **query: str) -> Any:
        return api.get(self.http, path, **query)

    def post(self, path: str, **fields: str) -> Any:
        return api.post(self.http, path, **fields)

    def pay(self, card: str, **fields: str) -> str:
        """Return the charge of a payment."""
        given = {
            "amount": str(AMOUNT),
            "currency": "usd",
            "confirm": "true",
            "payment_method": f"pm_card_{card}",
        }
        return str(self.post("/v1/payment_intents", **given | fields)["latest_charge"])

    def dispute_of(self, charge: str) -> Any:
        (dispute,) = self.get("/v1/disputes", charge=charge)["data"]
        return dispute

    def disputed(self, card: str = "createDispute") -> Any:
        """Return the dispute that a card brings."""
        return self.dispute_of(self.pay(card))

    def respond(self, dispute: Any, text: str, **fields: str) -> Any:
        return self.post(f"/v1/disputes/{dispute['id']}", **{"evidence[uncategorized_text]": text}, **fields)

    def funds(self) -> tuple[int, int]:
        """Return available and pending."""
        balance = self.get("/v1/balance")
        return balance["available"][0]["amount"], balance["pending"][0]["amount"]

    def events(self, about: str) -> list[str]:
        """Return the types of the events about an object, in order."""
        found = self.get("/v1/events", after_sequence="0", limit="100")["data"]
        return [event["type"] for event in found if event["data"]["object"].get("id") == about]

    def books_are_right(self) -> bool:
        return bool(self.get("/v1/ledger/verify")["ok"])


def refused(answer: httpx.Response, status: int, code: str | None, param: str | None) -> str:
    """Check a refusal, and return its message."""
    error = answer.json()["error"]
    found = (answer.status_code, error["type"], error.get("code"), error.get("param"))
    assert found == (status, "invalid_request_error", code, param), answer.text
    return str(error["message"])
