"""Setup intents."""

from fastpay.store.migrations import run_scripts

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Run 0015_setup_intents.sql and then its check."""
    run_scripts(__file__)
