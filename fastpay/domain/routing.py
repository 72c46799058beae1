"""Which of a tenant's processors a payment goes to: the first rule that fits, or else the default."""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from fastpay import limits
from fastpay.domain.money import CURRENCIES
from fastpay.errors import InvalidRequest


class Rule(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Sends payments to processors: to the first one, and to the others only where nothing has happened yet.

    A condition that is not given fits every payment. Amounts are in the currency's smallest unit; both bounds
    are included.
    """

    processors: tuple[str, ...]
    currencies: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    amount_min: int | None = None
    amount_max: int | None = None

    def fits(self, *, amount: int, currency: str, method: str) -> bool:
        """Tell whether the rule is about such a payment."""
        return (
            (self.currencies is None or currency in self.currencies)
            and (self.methods is None or method in self.methods)
            and (self.amount_min is None or amount >= self.amount_min)
            and (self.amount_max is None or amount <= self.amount_max)
        )


def choose(
    rules: Iterable[Rule],
    usable: Collection[str],
    *,
    default: str | None,
    amount: int,
    currency: str,
    method: str,
) -> list[str]:
    """Return the names that a payment may go to, the first choice first.

    The first rule counts that fits and names a processor which is usable. Without one, the default counts.
    """
    for rule in rules:
        if rule.fits(amount=amount, currency=currency, method=method):
            found = [name for name in rule.processors if name in usable]
            if found:
                return found
    return [default] if default is not None and default in usable else []


def check(rules: Sequence[Rule], names: Collection[str]) -> None:
    """Raise InvalidRequest for the first rule that can never work. `names` are the tenant's processors."""
    if len(rules) > limits.processor_rules_max:
        raise InvalidRequest(f"There are more than {limits.processor_rules_max} rules.")
    for number, rule in enumerate(rules, 1):
        if not rule.processors:
            raise InvalidRequest(f"Rule {number} names no processor.")
        for name in rule.processors:
            if name not in names:
                raise InvalidRequest(f"Rule {number} names a processor that does not exist: {name}")
        if len(set(rule.processors)) < len(rule.processors):
            raise InvalidRequest(f"Rule {number} names a processor twice.")
        for currency in rule.currencies or ():
            if currency not in CURRENCIES:
                raise InvalidRequest(f"Rule {number} names a currency that does not exist: {currency}")
        for bound in (rule.amount_min, rule.amount_max):
            if bound is not None and not 0 <= bound <= limits.amount_max:
                raise InvalidRequest(f"An amount of rule {number} is not between 0 and {limits.amount_max}.")
        if (rule.amount_min or 0) > (limits.amount_max if rule.amount_max is None else rule.amount_max):
            raise InvalidRequest(f"The amounts of rule {number} fit no payment.")
