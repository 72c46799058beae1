"""The host of each instance and its processors, by which homes are chosen."""

from fastpay.store.migrations import run_scripts

revision = "0034"
down_revision = "0033"
works_with = "0033"


def upgrade() -> None:
    """Run 0034_hosts.sql and then its check."""
    run_scripts(__file__)
