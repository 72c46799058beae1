"""Checks of what batches write find the newest version of a row first."""

from fastpay.store.migrations import run_scripts

revision = "0042"
down_revision = "0041"
works_with = "0041"


def upgrade() -> None:
    """Run 0042_newest_first.sql and then its check."""
    run_scripts(__file__)
