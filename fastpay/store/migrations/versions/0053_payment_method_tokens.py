"""Tokens of cards that processors keep for later payments."""

from fastpay.store.migrations import run_scripts

revision = "0053"
down_revision = "0052"
works_with = "0052"


def upgrade() -> None:
    """Run 0053_payment_method_tokens.sql and then its check."""
    run_scripts(__file__)
