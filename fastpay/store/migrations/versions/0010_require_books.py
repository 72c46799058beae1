"""A batch that was decided ahead is written by one statement, which locks and compares the books first."""

from fastpay.store.migrations import run_scripts

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run 0010_require_books.sql and then its check."""
    run_scripts(__file__)
