"""Payments that are captured in parts."""

from fastpay.store.migrations import run_scripts

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run 0014_captures.sql and then its check."""
    run_scripts(__file__)
