"""Tenants, the head of each of their books, and their API keys."""

from fastpay.store.migrations import run_scripts

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run 0001_tenants.sql and then its check."""
    run_scripts(__file__)
