"""Application fees, which a platform takes of payments with a destination, and their refunds."""

from fastpay.store.migrations import run_scripts

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Run 0026_application_fees.sql and then its check."""
    run_scripts(__file__)
