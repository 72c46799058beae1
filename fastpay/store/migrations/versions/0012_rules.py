"""A tenant's money rules: all of them settable, and no fees for new tenants."""

from fastpay.store.migrations import run_scripts

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run 0012_rules.sql and then its check."""
    run_scripts(__file__)
