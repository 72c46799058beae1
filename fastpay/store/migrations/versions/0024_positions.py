"""The position of a transfer in its commit is named so."""

from fastpay.store.migrations import run_scripts

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Run 0024_positions.sql and then its check."""
    run_scripts(__file__)
