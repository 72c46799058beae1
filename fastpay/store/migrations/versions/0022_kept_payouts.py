"""Rows of payouts, balances, connected accounts and transfers are never removed."""

from fastpay.store.migrations import run_scripts

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Run 0022_kept_payouts.sql and then its check."""
    run_scripts(__file__)
