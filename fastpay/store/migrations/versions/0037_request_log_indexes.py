"""Requests of the log are found without their tenant, and by the object that they are about."""

from fastpay.store.migrations import run_scripts

revision = "0037"
down_revision = "0036"
works_with = "0036"


def upgrade() -> None:
    """Run 0037_request_log_indexes.sql and then its check."""
    run_scripts(__file__)
