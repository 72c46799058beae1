"""Attempts in review: they are listed, and a person says what became of them."""

from fastpay.store.migrations import run_scripts

revision = "0047"
down_revision = "0046"
works_with = "0047"


def upgrade() -> None:
    """Run 0047_attempts_in_review.sql and then its check."""
    run_scripts(__file__)
