"""Which programs work on the schema."""

from fastpay.store.migrations import run_scripts

revision = "0033"
down_revision = "0032"
works_with = "0032"


def upgrade() -> None:
    """Run 0033_compatibility.sql and then its check."""
    run_scripts(__file__)
