"""Live setups: attempts to have processors keep cards."""

from fastpay.store.migrations import run_scripts

revision = "0054"
down_revision = "0053"
works_with = "0054"


def upgrade() -> None:
    """Run 0054_setups.sql and then its check."""
    run_scripts(__file__)
