"""Webhook endpoints, and the replays that were asked for."""

from fastpay.store.migrations import run_scripts

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Run 0023_webhook_endpoints.sql and then its check."""
    run_scripts(__file__)
