"""An index of payments that are processing."""

from fastpay.store.migrations import run_scripts

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Run 0018_processing.sql and then its check."""
    run_scripts(__file__)
