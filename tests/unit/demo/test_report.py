"""fastpay/demo/report.py"""

import io
from collections import Counter

import pytest
from rich.console import Console

from fastpay.demo import report
from fastpay.demo.audit import Balance, Books
from fastpay.demo.payments import Payment

PAID = Payment(order="1", id="pi_1", outcome="paid [/] [red]", currency="usd", amount=500, received=500)
BALANCES = tuple(
    Balance(
        currency=currency,
        debits_posted=123_456_789,
        credits_posted=123_456_781,
        debits_pending=1_234_567,
        credits_pending=1_234_564,
        difference=8,
    )
    for currency in ("eur", "jpy", "usd")
)


def shown(columns: int) -> str:
    """Return what a console of this width shows of a run."""
    console = Console(width=columns, file=io.StringIO(), record=True, highlight=False)
    findings = report.Findings(
        expected=[PAID],
        found=[PAID],
        books=Books(ok=True, balances=BALANCES, problems=()),
        faults=[],
        latencies_ms={"held, captured in part": [1.0, 2.0]},
        kinds=Counter({"held, captured in part": 1}),
        retries=0,
        seconds=1.0,
    )
    report.show(console, findings)
    return console.export_text()


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_every_figure_can_be_read_in_a_narrow_window(columns: int) -> None:
    text = shown(columns)
    for figures in (("123,456,789", "123,456,781", "8"), ("1,234,567", "1,234,564", "3")):
        lines = [line for line in text.splitlines() if all(figure in line for figure in figures)]
        assert len(lines) == len(BALANCES), text
    assert "…" not in text


def test_a_name_with_brackets_is_shown_as_it_is() -> None:
    assert "paid [/] [red]" in shown(100)
