"""What guardrails know of split routes, and why they rolled one back."""

from fastpay.store.migrations import run_scripts

revision = "0052"
down_revision = "0051"
works_with = "0051"


def upgrade() -> None:
    """Run 0052_rollout_guard.sql and then its check."""
    run_scripts(__file__)
