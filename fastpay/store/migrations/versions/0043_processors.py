"""Processors of tenants, and the rules that choose among them."""

from fastpay.store.migrations import run_scripts

revision = "0043"
down_revision = "0042"
works_with = "0042"


def upgrade() -> None:
    """Run 0043_processors.sql and then its check."""
    run_scripts(__file__)
