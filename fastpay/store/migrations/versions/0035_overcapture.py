"""Captures of more than was authorized."""

from fastpay.store.migrations import run_scripts

revision = "0035"
down_revision = "0034"
works_with = "0035"


def upgrade() -> None:
    """Run 0035_overcapture.sql and then its check."""
    run_scripts(__file__)
