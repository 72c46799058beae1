"""The results of the demo: figures, outcomes, the trial balance, and what to try next."""

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fastpay import limits
from fastpay.observability.program_name import command_name
from fastpay.operations.demo.audit import Books
from fastpay.operations.demo.payments import Payment


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """The results of a run. Latencies are of single requests, by the kind of payment."""

    expected: Sequence[Payment]
    found: Sequence[Payment]
    books: Books
    faults: Sequence[str]
    latencies_ms: dict[str, list[float]]
    kinds: Counter[str]
    retries: int
    seconds: float


def show(console: Console, findings: Findings) -> None:
    """Print the tables and the verdict."""
    for table in (_figures(findings), _outcomes(findings), _trial_balance(findings.books)):
        console.print(table)
        console.print()
    if findings.retries:
        console.print(f"{findings.retries} requests had to be sent again, each with its idempotency key.")
    if not findings.faults:
        console.print("[bold green]Everything agrees:[/] each payment is there once, and the books balance.")
        return
    console.print(f"[bold red]Something disagrees[/] ({len(findings.faults)} times):")
    for fault in findings.faults[: limits.demo_faults_shown_max]:
        console.print(f"  {fault}", markup=False, soft_wrap=True)
    if len(findings.faults) > limits.demo_faults_shown_max:
        console.print("  and more")


def show_reads(console: Console, counts: Mapping[str, int]) -> None:
    """Print where the server found the objects that were read, if it reported that."""
    if "reads_missed" not in counts:
        return
    found = counts["reads_copies_shown"]
    table = _table("Where reads by identifier found it", "found", ("objects",))
    table.add_row("in the process's own cache", f"{counts['reads_process_hits']:,}")
    table.add_row("in a read that was under way", f"{counts['reads_joined']:,}")
    table.add_row("in Redis", f"{found:,}")
    table.add_row("in PostgreSQL", f"{counts['reads_missed'] - found:,}")
    console.print()
    console.print(table)
    carried = counts.get("redis_bytes_sent", 0) + counts.get("redis_bytes_received", 0)
    console.print(
        f"{counts['reads_statements']:,} statements in {counts['reads_turns']:,} turns of the loop that "
        f"missed anything; {counts['cache_bytes']:,} bytes cached, {carried:,} to and from Redis.",
        soft_wrap=True,
    )


def show_next(console: Console, *, url: str | None, data_dir: str | None) -> None:
    """Print what to try next; `url` is the server that was used, None for the demo's own."""
    serve = (
        None
        if url
        else f"{command_name()} serve" + (f" --data-dir {shlex.quote(data_dir)}" if data_dir else "")
    )
    address = url or "http://127.0.0.1:8000"
    console.print("\n[bold]What to try next[/]")
    if serve:
        console.print(f"  {serve}      # prints your sk_test_ key", markup=False, soft_wrap=True)
    console.print(
        f"  curl {address}/v1/payment_intents -u sk_test_...: -H 'Idempotency-Key: order-1' \\\n"
        "    -d amount=1999 -d currency=usd -d payment_method=pm_card_visa -d confirm=true\n"
        f"  curl {address}/v1/ledger/verify -u sk_test_...:\n\n"
        "  import stripe\n"
        f'  client = stripe.StripeClient("sk_test_...", base_addresses={{"api": "{address}"}})\n'
        '  client.v1.payment_intents.create({"amount": 1999, "currency": "usd",\n'
        '      "payment_method": "pm_card_visa", "confirm": True})\n\n'
        "  README.md and docs/ have the rest.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that this share of the values does not exceed; 0 without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _figures(findings: Findings) -> Table:
    requests = sum(len(values) for values in findings.latencies_ms.values())
    payments_a_second = sum(findings.kinds.values()) / findings.seconds
    title = f"{payments_a_second:,.0f} payments/s, {requests / findings.seconds:,.0f} requests/s"
    names = ("count", "requests", "p50 ms", "p99 ms")
    table = _table(f"{title}, in {findings.seconds:.1f} s", "payments", names)
    for kind, values in findings.latencies_ms.items():
        if values:
            table.add_row(Text(kind), f"{findings.kinds[kind]:,}", *_measures(values))
    everything = [value for values in findings.latencies_ms.values() for value in values]
    table.add_section()
    table.add_row("all", f"{sum(findings.kinds.values()):,}", *_measures(everything))
    return table


def _measures(values: Sequence[float]) -> tuple[str, str, str]:
    return (f"{len(values):,}", f"{percentile(values, 0.5):.1f}", f"{percentile(values, 0.99):.1f}")


def _outcomes(findings: Findings) -> Table:
    expected = Counter(payment.outcome for payment in findings.expected)
    found = Counter(payment.outcome for payment in findings.found)
    table = _table("What became of them", "outcome", ("clients were told", "the server says"))
    for outcome in sorted(expected | found):
        colour = "" if expected[outcome] == found[outcome] else "red"
        table.add_row(Text(outcome), f"{expected[outcome]:,}", f"{found[outcome]:,}", style=colour)
    return table


def _trial_balance(books: Books) -> Table:
    """Return a table that fits into a narrow window: posted and pending are lines, not columns."""
    table = _table("Trial balance, in minor units", "currency", ("debits", "credits", "off by"))
    for balance in books.balances:
        table.add_section()
        posted = (balance.debits_posted, balance.credits_posted, balance.difference)
        table.add_row(Text(f"{balance.currency} posted"), *(f"{amount:,}" for amount in posted))
        pending = (balance.debits_pending, balance.credits_pending)
        difference = balance.debits_pending - balance.credits_pending
        table.add_row(Text("    pending"), *(f"{amount:,}" for amount in (*pending, difference)))
    return table


def _table(title: str, first: str, others: Sequence[str]) -> Table:
    """Return an empty table of names and figures that truncates nothing."""
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", overflow="fold")
    return table
