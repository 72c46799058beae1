"""What a line of an import says, as an object of this server or an opening balance."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fastpay import limits
from fastpay.api.common_params import first_metadata
from fastpay.api.decoding import decode_params
from fastpay.api.references import is_reference
from fastpay.api.resources import customers
from fastpay.domain import imports, metadata, money
from fastpay.domain.identifiers import Scope
from fastpay.domain.imports import Entry
from fastpay.domain.objects import Customer
from fastpay.operations.imports import payments
from fastpay.operations.imports.said import Fault, digest_of

TYPES = ("customer", "payment_method", "payment_intent", "opening_balance")
# What an API says of every object, and nobody chooses.
_COMMON = frozenset(("id", "object", "created", "livemode"))
_CUSTOMER = (
    *("address", "balance", "description", "email", "invoice_prefix", "metadata", "name"),
    *("next_invoice_sequence", "phone", "preferred_locales", "shipping", "tax_exempt"),
)


class ObjectReader:
    """Reads objects of a mode of a tenant. `left_out` counts attributes that this server does not keep."""

    def __init__(self, scope: Scope, now_s: int) -> None:
        self.scope = scope
        self._now_s = now_s
        self.left_out: Counter[str] = Counter()

    def read(self, said: Mapping[str, Any]) -> Sequence[Entry]:
        """Return what a line says. Raises: Fault, FastpayError."""
        match said.get("object"):
            case "customer":
                return [self._customer(said)]
            case "payment_method":
                return [payments.payment_method(self, said)]
            case "payment_intent":
                return payments.payment(self, said)
            case "opening_balance":
                return [_opening_balance(said)]
        raise Fault(f"object is one of {', '.join(TYPES)}")

    def _customer(self, said: Mapping[str, Any]) -> Entry:
        theirs, created = self.identity(said, Customer.prefix)
        params = decode_params(
            customers.CreateParams,
            content_type="application/json",
            body=msgspec.json.encode(self.chosen(said, _CUSTOMER)),
            query=b"",
        )
        identifier = imports.own_id(self.scope, Customer.prefix, theirs, created)
        fields = {
            "invoice_prefix": identifier[-8:].upper(),
            **customers.plain_fields(params),
            "metadata": metadata.merge({}, first_metadata(params.metadata)),
        }
        customer = Customer(id=identifier, created=created, **fields)  # type: ignore[arg-type]
        return Entry(theirs=theirs, type="customer", digest=digest_of(said), customer=customer)

    def identity(self, said: Mapping[str, Any], prefix: str) -> tuple[str, int]:
        """Return the older identifier, and when the object was created."""
        theirs, created, livemode = (said.get(name) for name in ("id", "created", "livemode"))
        if not (isinstance(theirs, str) and is_reference(theirs) and theirs.startswith(f"{prefix}_")):
            raise Fault(f"id is {prefix}_ and at least 8 letters and digits")
        if len(theirs) > limits.identifier_chars_max:
            raise Fault(f"id has {limits.identifier_chars_max} characters at most")
        if type(created) is not int or not 0 < created <= self._now_s:
            raise Fault("created is a time in the past, in seconds since 1970")
        if livemode is not self.scope.livemode:
            raise Fault(f"livemode is {str(self.scope.livemode).lower()} in this mode")
        return theirs, created

    def chosen(self, said: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
        """Return the attributes of these names that are set, and count the others that are."""
        kept = _set_in(said)
        self.left_out.update(kept.keys() - set(names) - _COMMON)
        return {name: kept[name] for name in names if name in kept}


def _opening_balance(said: Mapping[str, Any]) -> Entry:
    account, currency, amount = (said.get(name) for name in ("account", "currency", "amount"))
    if unknown := said.keys() - {"object", "account", "currency", "amount"}:
        raise Fault(f"an opening balance has no {', '.join(sorted(unknown))}")
    if account not in imports.OPENED:
        raise Fault(f"account is one of {', '.join(imports.OPENED)}")
    currency = money.parse_currency(currency if isinstance(currency, str) else "")
    if type(amount) is not int or amount == 0 or abs(amount) > limits.ledger_counter_max:
        raise Fault("amount is a whole number in the smallest unit of the currency, and not 0")
    return Entry(
        theirs=f"the opening balance of {account} in {currency}",
        type="opening_balance",
        digest=digest_of(said),
        opening=imports.opening_of(account, currency, amount),
    )


def _set_in(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not null, empty, zero or false: none of these says more than that nothing was set."""
    cleaned = {name: _set_in(value) if isinstance(value, Mapping) else value for name, value in said.items()}
    return {name: value for name, value in cleaned.items() if value}
