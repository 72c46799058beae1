"""The books held against themselves, in the shape that clients see."""

from fastpay.engine.ports import TrialBalance, Verification


def render_verification(verification: Verification, livemode: bool) -> dict[str, object]:
    """Return what a verification found; `ok` says that it found nothing to complain of."""
    return {
        "object": "ledger_verification",
        "balances": [_balance(balance) for balance in verification.balances],
        "livemode": livemode,
        "ok": not verification.problems,
        "problems": list(verification.problems),
    }


def _balance(balance: TrialBalance) -> dict[str, object]:
    return {
        "currency": balance.currency,
        "debits_posted": balance.debits_posted,
        "credits_posted": balance.credits_posted,
        "debits_pending": balance.debits_pending,
        "credits_pending": balance.credits_pending,
        "difference": balance.debits_posted - balance.credits_posted,
    }
