"""The index that searches use."""

from fastpay.store.migrations import run_scripts

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run 0004_search.sql and then its check."""
    run_scripts(__file__)
