"""Objects with their versions, the ledger, events and idempotency rows."""

from fastpay.store.migrations import run_scripts

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run 0002_books.sql and then its check."""
    run_scripts(__file__)
