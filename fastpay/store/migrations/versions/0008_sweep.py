"""First answers are forgotten by a sweep over the table, without an index by age."""

from fastpay.store.migrations import run_scripts

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run 0008_sweep.sql and then its check."""
    run_scripts(__file__)
