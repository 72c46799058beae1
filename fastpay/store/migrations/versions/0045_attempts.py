"""Attempts: orders to processors, and what they leave in doubt."""

from fastpay.store.migrations import run_scripts

revision = "0045"
down_revision = "0044"
works_with = "0045"


def upgrade() -> None:
    """Run 0045_attempts.sql and then its check."""
    run_scripts(__file__)
