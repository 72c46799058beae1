"""Customers' cash balances, which bank transfers fill."""

from fastpay.store.migrations import run_scripts

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Run 0027_cash.sql and then its check."""
    run_scripts(__file__)
