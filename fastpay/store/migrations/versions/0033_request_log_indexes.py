"""Requests of the log are found without their tenant, and by the object that they are about."""

from fastpay.store.migrations import run_scripts

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Run 0033_request_log_indexes.sql and then its check."""
    run_scripts(__file__)
