"""An index of events by type."""

from fastpay.store.migrations import run_scripts

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run 0013_events_by_type.sql and then its check."""
    run_scripts(__file__)
