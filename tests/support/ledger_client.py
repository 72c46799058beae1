"""A tenant's own ledger over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.refusals import check_error


@dataclass(frozen=True)
class Books:
    """A tenant's ledger, with a source without a bound and two wallets that cannot fall below zero."""

    http: httpx.Client
    secret: str
    source: str = ""
    wallet: str = ""
    other: str = ""

    def send(self, path: str, fields: Mapping[str, object], *, key: str | None = None) -> httpx.Response:
        """Send a form."""
        headers = {"Authorization": f"Bearer {self.secret}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        data = {name: str(value) for name, value in fields.items()}
        return self.http.post(f"/v1/ledger/{path}", data=data, headers=headers)

    def post(self, path: str, **fields: object) -> Any:
        """Send a form that must go well, and return the answer."""
        answer = self.send(path, fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, path: str, status: int, **fields: object) -> dict[str, Any]:
        """Send a form that must be refused, and return the error."""
        return check_error(self.send(path, fields), status, kind="invalid_request_error")

    def get(self, path: str, **query: object) -> Any:
        """Ask for something that must be there."""
        headers = {"Authorization": f"Bearer {self.secret}"}
        params = {name: str(value) for name, value in query.items()}
        answer = self.http.get(f"/v1/ledger/{path}", params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def balance(self, account: str, **query: object) -> dict[str, Any]:
        """Return what an account holds."""
        found: dict[str, Any] = self.get(f"accounts/{account}/balance", **query)
        return found

    def sides(self, debit: str, credit: str) -> dict[str, str]:
        """Return the two accounts of a transfer."""
        return {"debit_account": debit, "credit_account": credit}

    def transfer(self, debit: str, credit: str, amount: int, **fields: object) -> dict[str, Any]:
        """Move an amount."""
        made: dict[str, Any] = self.post("transfers", **self.sides(debit, credit), amount=amount, **fields)
        return made

    def hold(self, debit: str, credit: str, amount: int, **fields: object) -> dict[str, Any]:
        """Reserve an amount."""
        return self.transfer(debit, credit, amount, hold="true", **fields)


def open_books(http: httpx.Client, secret: str) -> Books:
    """Open a source and two wallets in dollars."""
    books = Books(http, secret)

    def opened(code: str, **fields: object) -> str:
        account = books.post("accounts", code=code, currency="usd", normal_side="credit", **fields)
        return str(account["id"])

    return Books(
        http,
        secret,
        source=opened("source"),
        wallet=opened("wallet", min_balance=0),
        other=opened("wallet", min_balance=0),
    )
