"""The key that copies of objects outside of the database are sealed with."""

from fastpay.store.migrations import run_scripts

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run 0011_cache_seal.sql and then its check."""
    run_scripts(__file__)
