"""The verification of the ledger, as clients see it."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastpay import limits
from fastpay.api.answers import encode
from fastpay.api.app import RESOURCES
from fastpay.domain.identifiers import Scope, identifier_at
from fastpay.domain.ledger_objects import LedgerBatch
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


@given(
    st.integers(1, limits.ledger_batch_transfers_max),
    st.integers(1, 2**47),
    st.booleans(),
    st.dictionaries(st.integers(0, limits.ledger_batch_transfers_max), st.sampled_from("abc"), max_size=4),
)
@example(limits.ledger_batch_transfers_max, 7, False, {})
@example(1, 2**47, False, {})
def test_the_results_of_a_batch_are_each_in_their_place(
    count: int, sequence: int, dry_run: bool, drawn: dict[int, str]
) -> None:
    codes = {place: code for place, code in drawn.items() if place < count}
    failures: dict[str, tuple[int, ...]] = {}
    for place in sorted(codes):
        failures[codes[place]] = (*failures.get(codes[place], ()), place)
    moment_ms = 1_790_000_000_123
    batch = LedgerBatch(
        id=identifier_at("lbat", moment_ms, 1, 0),
        created=moment_ms // 1000,
        sequence=sequence,
        count=count,
        dry_run=dry_run,
        failures=failures,
    )
    shown = json.loads(encode(RESOURCES.render(batch, False)))
    assert shown["results"] == [
        {
            "code": codes.get(place),
            "id": None if dry_run or place in codes else identifier_at("ltr", moment_ms, sequence, place),
        }
        for place in range(count)
    ]
    assert (shown["failed"], shown["succeeded"]) == (len(codes), count - len(codes))


@pytest.mark.parametrize(
    ("query", "key", "status", "param"),
    [("", PUBLISHABLE, 403, None), ("?a=1", LIVE, 400, "a"), ("?expand[]=a", LIVE, 400, "expand")],
)
def test_a_verification_is_refused(query: str, key: str, status: int, param: str | None) -> None:
    answer = Api().send("GET", f"/v1/ledger/verify{query}", key=key)
    assert answer.status_code == status
    assert error_of(answer).get("param") == param
