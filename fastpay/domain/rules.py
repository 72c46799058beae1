"""The money rules of a tenant: fees, overdrafts by refunds, minimum amounts, when funds become available."""

from collections.abc import Mapping

import msgspec

from fastpay import limits
from fastpay.errors import InvalidRequest


class Rules(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The rules of one tenant in one mode. The defaults apply to a new tenant.

    A captured payment costs `fee_basis_points` hundredths of a percent and `fee_fixed` minor units of its
    currency. `amount_minimums` has the minimum amount of a payment by currency, in minor units.
    `funds_delay_days` is the time from a capture until its money is available. The available balance is paid
    out once a `payout_interval`, or never by itself if that is "manual". A dispute costs `dispute_fee` minor
    units of its currency until it is won.
    """

    fee_basis_points: int = 0
    fee_fixed: int = 0
    refunds_may_overdraw: bool = True
    funds_delay_days: int = limits.funds_delay_days
    amount_minimums: Mapping[str, int] = {}
    payout_interval: str = "manual"
    dispute_fee: int = 0

    def check_minimum(self, amount: int, currency: str, *, param: str = "amount") -> None:
        """Raise InvalidRequest about `param` if the amount is below the currency's minimum."""
        smallest = self.amount_minimums.get(currency, 0)
        if amount < smallest:
            raise InvalidRequest(
                f"The amount must be at least {smallest} in the smallest unit of {currency}.",
                code="amount_too_small",
                param=param,
            )
