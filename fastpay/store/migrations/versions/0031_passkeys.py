"""Passkeys of operators, and the tenant of what they did."""

from fastpay.store.migrations import run_scripts

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Run 0031_passkeys.sql and then its check."""
    run_scripts(__file__)
