"""Attempts by their operation: captures, voids and refunds are attempts, too."""

from fastpay.store.migrations import run_scripts

revision = "0050"
down_revision = "0049"
works_with = "0050"


def upgrade() -> None:
    """Run 0050_attempts_by_operation.sql and then its check."""
    run_scripts(__file__)
