"""The table of the instances that serve this database."""

from fastpay.store.migrations import run_scripts

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Run 0016_members.sql and then its check."""
    run_scripts(__file__)
