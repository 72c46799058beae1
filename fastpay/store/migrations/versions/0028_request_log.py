"""The request log: what was asked and answered, for a while."""

from fastpay.store.migrations import run_scripts

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Run 0028_request_log.sql and then its check."""
    run_scripts(__file__)
