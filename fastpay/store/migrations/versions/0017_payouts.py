"""When money becomes available, and payouts of it."""

from fastpay.store.migrations import run_scripts

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Run 0017_payouts.sql and then its check."""
    run_scripts(__file__)
