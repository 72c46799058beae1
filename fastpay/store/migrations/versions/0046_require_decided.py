"""A batch that was decided ahead is a transaction of one statement, which looks at the time as well."""

from fastpay.store.migrations import run_scripts

revision = "0046"
down_revision = "0045"
works_with = "0045"


def upgrade() -> None:
    """Run 0046_require_decided.sql and then its check."""
    run_scripts(__file__)
