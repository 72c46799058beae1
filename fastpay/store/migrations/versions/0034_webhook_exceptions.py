"""Exceptions of webhook deliveries that are written anew before too many dead versions gather."""

from fastpay.store.migrations import run_scripts

revision = "0034"
down_revision = "0033"
works_with = "0034"


def upgrade() -> None:
    """Run 0034_webhook_exceptions.sql and then its check."""
    run_scripts(__file__)
