"""Refunds of customers' cash, which have no charge."""

from fastpay.store.migrations import run_scripts

revision = "0039"
down_revision = "0038"
works_with = "0039"


def upgrade() -> None:
    """Run 0039_cash_returns.sql and then its check."""
    run_scripts(__file__)
