"""What administrators do in the console: once a form, and noted with what was changed."""

from fastpay.store.migrations import run_scripts

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Run 0031_administration.sql and then its check."""
    run_scripts(__file__)
