"""The money rules of a tenant: fees, what refunds may do, smallest amounts, when funds are available."""

from collections.abc import Mapping

import msgspec

from fastpay import limits
from fastpay.errors import InvalidRequest


class Rules(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What applies to one tenant in one mode. The defaults are those of a new tenant.

    A captured payment costs `fee_basis_points` hundredths of a percent and `fee_fixed` minor units of its
    currency. `amount_minimums` holds the smallest amount of a payment by currency, in minor units; a
    currency without one has none. `funds_delay_days` is the time from a capture until its money is available.
    """

    fee_basis_points: int = 0
    fee_fixed: int = 0
    refunds_may_overdraw: bool = True
    funds_delay_days: int = limits.funds_delay_days
    amount_minimums: Mapping[str, int] = {}

    def check_minimum(self, amount: int, currency: str, *, param: str = "amount") -> None:
        """Raise InvalidRequest about `param` for an amount below the currency's smallest."""
        smallest = self.amount_minimums.get(currency, 0)
        if amount < smallest:
            raise InvalidRequest(
                f"The amount must be at least {smallest} in the smallest unit of {currency}.",
                code="amount_too_small",
                param=param,
            )
