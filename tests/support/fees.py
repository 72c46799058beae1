"""What fastpay keeps of a captured amount, computed apart from the product."""

from benchmarks.samples import FEES


def fee(amount: int, basis_points: int = FEES.fee_basis_points, fixed: int = FEES.fee_fixed) -> int:
    """Return the fee: a share, rounded half up, and a fixed part; never more than the amount."""
    return min(amount, (amount * basis_points + 5_000) // 10_000 + fixed)
