"""What ends by time: open holds by their expiry, and payments that wait for their capture."""

from fastpay.store.migrations import run_scripts

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run 0005_expiry.sql and then its check."""
    run_scripts(__file__)
