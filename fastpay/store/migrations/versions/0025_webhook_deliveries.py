"""The state of webhook deliveries: leases, cursors, exceptions and attempts."""

from fastpay.store.migrations import run_scripts

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Run 0025_webhook_deliveries.sql and then its check."""
    run_scripts(__file__)
