"""Tokens."""

from fastpay.store.migrations import run_scripts

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Run 0020_tokens.sql and then its check."""
    run_scripts(__file__)
