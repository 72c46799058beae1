"""Indexes that begin with what they are there for."""

from fastpay.store.migrations import run_scripts

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run 0009_leading_columns.sql and then its check."""
    run_scripts(__file__)
