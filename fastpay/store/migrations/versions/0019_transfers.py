"""Connected accounts, transfers to them, and what they give back."""

from fastpay.store.migrations import run_scripts

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Run 0019_transfers.sql and then its check."""
    run_scripts(__file__)
