"""Narrower indexes of the ledger's transfers, and cheaper checks of many of them at once."""

from fastpay.store.migrations import run_scripts

revision = "0058"
down_revision = "0057"
works_with = "0058"


def upgrade() -> None:
    """Run 0058_narrow_ledger_indexes.sql and then its check."""
    run_scripts(__file__)
