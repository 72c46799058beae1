"""Rows that batches write are checked once for each statement."""

from fastpay.store.migrations import run_scripts

revision = "0038"
down_revision = "0037"
works_with = "0038"


def upgrade() -> None:
    """Run 0038_checks_by_statement.sql and then its check."""
    run_scripts(__file__)
