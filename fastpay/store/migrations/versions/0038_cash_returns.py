"""Refunds of customers' cash, which have no charge."""

from fastpay.store.migrations import run_scripts

revision = "0038"
down_revision = "0037"
works_with = "0038"


def upgrade() -> None:
    """Run 0038_cash_returns.sql and then its check."""
    run_scripts(__file__)
