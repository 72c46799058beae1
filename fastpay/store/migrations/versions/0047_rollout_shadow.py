"""Routes may be in shadow: the older API answers, and answers are compared."""

from fastpay.store.migrations import run_scripts

revision = "0047"
down_revision = "0046"
works_with = "0047"


def upgrade() -> None:
    """Run 0047_rollout_shadow.sql and then its check."""
    run_scripts(__file__)
