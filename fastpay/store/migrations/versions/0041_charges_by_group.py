"""Charges by their group."""

from fastpay.store.migrations import run_scripts

revision = "0041"
down_revision = "0040"
works_with = "0040"


def upgrade() -> None:
    """Run 0041_charges_by_group.sql and then its check."""
    run_scripts(__file__)
