"""Operators of the console, their sessions, and what they did."""

from fastpay.store.migrations import run_scripts

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Run 0030_operators.sql and then its check."""
    run_scripts(__file__)
