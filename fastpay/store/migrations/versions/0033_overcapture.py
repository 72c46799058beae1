"""Captures of more than was authorized."""

from fastpay.store.migrations import run_scripts

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Run 0033_overcapture.sql and then its check."""
    run_scripts(__file__)
