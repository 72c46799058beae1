"""What administrators do in the console: once a form, and noted with what was changed."""

from fastpay.store.migrations import run_scripts

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Run 0032_administration.sql and then its check."""
    run_scripts(__file__)
