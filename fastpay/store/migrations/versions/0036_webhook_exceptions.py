"""Exceptions of webhook deliveries that are written anew before too many dead versions gather."""

from fastpay.store.migrations import run_scripts

revision = "0036"
down_revision = "0035"
works_with = "0036"


def upgrade() -> None:
    """Run 0036_webhook_exceptions.sql and then its check."""
    run_scripts(__file__)
