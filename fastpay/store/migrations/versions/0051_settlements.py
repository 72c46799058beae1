"""Settlements of processors, the rows of their files, and what attempts are found by."""

from fastpay.store.migrations import run_scripts

revision = "0051"
down_revision = "0050"
works_with = "0051"


def upgrade() -> None:
    """Run 0051_settlements.sql and then its check."""
    run_scripts(__file__)
