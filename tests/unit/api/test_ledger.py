"""The verification of the ledger, as clients see it."""

import pytest

from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import TrialBalance, Verification
from tests.unit.api.fakes import LIVE, PUBLISHABLE, Api, error_of

BALANCE = TrialBalance(
    currency="usd", debits_posted=70, credits_posted=69, debits_pending=5, credits_pending=5
)


def test_a_verification_shows_the_trial_balance_and_every_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Scope] = []

    async def verify(scope: Scope) -> Verification:
        asked.append(scope)
        return Verification(balances=(BALANCE,), problems=("One.", "Two."))

    api = Api()
    monkeypatch.setattr(api.engine, "verify", verify)
    assert api.get("/v1/ledger/verify", key=LIVE) == {
        "object": "ledger_verification",
        "balances": [
            {
                "currency": "usd",
                "debits_posted": 70,
                "credits_posted": 69,
                "debits_pending": 5,
                "credits_pending": 5,
                "difference": 1,
            }
        ],
        "livemode": True,
        "ok": False,
        "problems": ["One.", "Two."],
    }
    assert asked == [Scope("a", True)]


def test_books_in_order_are_told_to_be() -> None:
    assert Api().get("/v1/ledger/verify") == {
        "object": "ledger_verification",
        "balances": [],
        "livemode": False,
        "ok": True,
        "problems": [],
    }


@pytest.mark.parametrize(
    ("query", "key", "status", "param"),
    [("", PUBLISHABLE, 403, None), ("?a=1", LIVE, 400, "a"), ("?expand[]=a", LIVE, 400, "expand")],
)
def test_a_verification_is_refused(query: str, key: str, status: int, param: str | None) -> None:
    answer = Api().send("GET", f"/v1/ledger/verify{query}", key=key)
    assert answer.status_code == status
    assert error_of(answer).get("param") == param
