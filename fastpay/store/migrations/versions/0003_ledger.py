"""Accounts of clients and the transfers between them."""

from fastpay.store.migrations import run_scripts

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run 0003_ledger.sql and then its check."""
    run_scripts(__file__)
