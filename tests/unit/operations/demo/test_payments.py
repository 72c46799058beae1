"""Which payments the demo makes, and what it finds when the server says otherwise."""

from collections import Counter

import msgspec
import pytest

from fastpay.operations.demo.audit import Balance, Books, check_books, compare
from fastpay.operations.demo.payments import KINDS, Payment, plan_orders
from fastpay.operations.demo.report import percentile

PAID = Payment(order="1", id="pi_1", outcome="paid", currency="usd", amount=500, received=500)
OTHER = msgspec.structs.replace(PAID, order="2", id="pi_2")
BALANCE = Balance(
    currency="usd", debits_posted=5, credits_posted=5, debits_pending=1, credits_pending=1, difference=0
)


def test_every_kind_has_its_share_and_the_seed_decides_the_rest() -> None:
    orders = plan_orders(200, 7)
    assert sum(share for share, _ in KINDS.values()) == 100
    assert Counter(order.kind for order in orders) == {kind: 2 * share for kind, (share, _) in KINDS.items()}
    assert [order.number for order in orders] == list(range(1, 201))
    assert plan_orders(200, 7) == orders
    assert plan_orders(200, 8) != orders
    assert len(plan_orders(1, 7)) == 1


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ([PAID], "pi_2 was acknowledged and is not there"),
        ([PAID, OTHER, msgspec.structs.replace(OTHER, id="pi_3")], "order 2 was charged 2 times"),
        ([PAID, OTHER, msgspec.structs.replace(OTHER, id="pi_3", order="3")], "nobody knows of pi_3"),
        ([PAID, msgspec.structs.replace(OTHER, received=400)], "pi_2 is paid (500, 400, 0 usd), "),
        ([PAID, msgspec.structs.replace(OTHER, outcome="canceled")], "pi_2 is canceled (500, 500, 0 usd), "),
    ],
)
def test_every_disagreement_is_found(found: list[Payment], fault: str) -> None:
    assert compare([PAID, OTHER], [OTHER, PAID]) == []
    assert any(said.startswith(fault) for said in compare([PAID, OTHER], found))


@pytest.mark.parametrize(
    ("books", "fault"),
    [
        (
            Books(ok=True, balances=(msgspec.structs.replace(BALANCE, difference=3),), problems=()),
            "the accounts in usd differ by 3 posted, 0 pending",
        ),
        (
            Books(ok=True, balances=(msgspec.structs.replace(BALANCE, debits_pending=2),), problems=()),
            "the accounts in usd differ by 0 posted, 1 pending",
        ),
        (Books(ok=False, balances=(BALANCE,), problems=("No.",)), "the ledger says: No."),
        (Books(ok=False, balances=(BALANCE,), problems=()), "the ledger says that it is not in order"),
    ],
)
def test_books_that_are_wrong_are_told(books: Books, fault: str) -> None:
    assert check_books(Books(ok=True, balances=(BALANCE,), problems=())) == []
    assert check_books(books) == [fault]


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert percentile([3.0], 0.5) == 3.0
    assert percentile([], 0.5) == 0.0
