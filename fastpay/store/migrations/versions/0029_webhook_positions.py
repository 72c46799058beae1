"""Positions of webhook deliveries, and beats of instances, that are appended."""

from fastpay.store.migrations import run_scripts

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Run 0029_webhook_positions.sql and then its check."""
    run_scripts(__file__)
