"""fastpay/operations/demo/report.py"""

import io
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from fastpay.operations.demo import report, server
from fastpay.operations.demo.audit import Balance, Books
from fastpay.operations.demo.payments import Payment

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


COUNTS = {
    "reads_process_hits": 1_234,
    "reads_joined": 56,
    "reads_missed": 1_000,
    "reads_copies_shown": 300,
    "reads_statements": 7,
    "reads_turns": 9,
    "cache_bytes": 8_765_432,
    "redis_bytes_sent": 1_000,
    "redis_bytes_received": 234,
}


def shown_reads(counts: dict[str, int]) -> str:
    """Return what a console shows of what a server has counted."""
    console = Console(width=100, file=io.StringIO(), record=True, highlight=False)
    report.show_reads(console, counts)
    return console.export_text()


def test_reads_are_shown_by_where_they_were_found() -> None:
    lines = shown_reads(COUNTS).splitlines()
    for name, figure in (
        ("own cache", "1,234"),
        ("under way", "56"),
        ("Redis", "300"),
        ("PostgreSQL", "700"),
    ):
        assert any(name in line and line.endswith(figure) for line in lines), lines
    assert "7 statements in 9 turns" in lines[-1]
    assert "8,765,432 bytes cached, 1,234 to and from Redis" in lines[-1]


def test_a_server_that_did_not_say_what_it_counted_has_no_table() -> None:
    assert shown_reads({}) == ""


def test_what_was_counted_is_read_from_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    assert server.read_counts(log) == {}
    log.write_text("2026-01-01T00:00:00.000Z info process_started url=http://x pid=1\n")
    assert server.read_counts(log) == {}
    with log.open("a") as lines:
        lines.write("2026-01-01T00:00:01.000Z info counters_reported reads_missed=12 cache_bytes=34\n")
        lines.write("2026-01-01T00:00:01.001Z info process_stopped\n")
    assert server.read_counts(log) == {"reads_missed": 12, "cache_bytes": 34}


def test_a_name_with_brackets_is_shown_as_it_is() -> None:
    assert "paid [/] [red]" in shown(100)
