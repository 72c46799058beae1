"""Operators of the console, their sessions, and what they did."""

from fastpay.store.migrations import run_scripts

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Run 0029_operators.sql and then its check."""
    run_scripts(__file__)
