"""Findings of latency and of money."""

from fastpay.store.migrations import run_scripts

revision = "0055"
down_revision = "0054"
works_with = "0055"


def upgrade() -> None:
    """Run 0055_rollout_measures.sql and then its check."""
    run_scripts(__file__)
