"""Identifiers of a legacy API that look like this server's."""

from fastpay.store.migrations import run_scripts

revision = "0057"
down_revision = "0056"
works_with = "0056"


def upgrade() -> None:
    """Run 0057_mistaken_identifiers.sql and then its check."""
    run_scripts(__file__)
