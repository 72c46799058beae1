"""Imports from an older API: one more kind of object, and the transfers that bring opening balances."""

from fastpay.store.migrations import run_scripts

revision = "0056"
down_revision = "0055"
works_with = "0056"


def upgrade() -> None:
    """Run 0056_imports.sql and then its check."""
    run_scripts(__file__)
