"""What comparing the answers of both sides has found."""

from fastpay.store.migrations import run_scripts

revision = "0048"
down_revision = "0047"
works_with = "0047"


def upgrade() -> None:
    """Run 0048_rollout_findings.sql and then its check."""
    run_scripts(__file__)
