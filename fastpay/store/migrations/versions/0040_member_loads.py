"""How busy each instance is, by which the number of homes is chosen."""

from fastpay.store.migrations import run_scripts

revision = "0040"
down_revision = "0039"
works_with = "0039"


def upgrade() -> None:
    """Run 0040_member_loads.sql and then its check."""
    run_scripts(__file__)
