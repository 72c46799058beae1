"""Signing secrets of API keys, and secrets sealed under the operator's key."""

from fastpay.store.migrations import run_scripts

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run 0006_secrets.sql and then its check."""
    run_scripts(__file__)
