"""Disputes, refunds that change later, and what a dispute costs."""

from fastpay.store.migrations import run_scripts

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Run 0021_disputes.sql and then its check."""
    run_scripts(__file__)
