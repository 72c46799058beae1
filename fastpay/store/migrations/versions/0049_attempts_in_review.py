"""Attempts in review: they are listed, and a person says what became of them."""

from fastpay.store.migrations import run_scripts

revision = "0049"
down_revision = "0048"
works_with = "0049"


def upgrade() -> None:
    """Run 0049_attempts_in_review.sql and then its check."""
    run_scripts(__file__)
