"""Which side answers each route, and which side each idempotency key belongs to."""

from fastpay.store.migrations import run_scripts

revision = "0044"
down_revision = "0043"
works_with = "0043"


def upgrade() -> None:
    """Run 0044_rollout.sql and then its check."""
    run_scripts(__file__)
