"""References checked once a statement instead of once a row, and two indexes fewer a payment."""

from fastpay.store.migrations import run_scripts

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run 0007_set_checks.sql and then its check."""
    run_scripts(__file__)
