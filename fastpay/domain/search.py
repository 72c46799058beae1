"""Search: the fields that each kind can be searched by, and which objects match a query.

Texts are compared without regard to case, by full case folding (Unicode 3.13). Only this module decides what
matches: the index in the database narrows down which objects are examined.

Source: the dialect's documentation of search.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from fastpay.domain.identifiers import prefix_of
from fastpay.domain.objects import Charge, Customer, PaymentIntent, StoredObject

FieldType = Literal["text", "token", "truth", "number"]
Value = str | int | None

# The kinds that can be searched; `FIELDS` has the fields of each.
Searchable = Customer | PaymentIntent | Charge


class Field(msgspec.Struct, frozen=True, gc=False):
    """A field that objects can be searched by. `read` returns its value in an object.

    A text matches a part of it, a token only the whole of it. A truth is the token "true" or "false". Numbers
    are compared. An `optional` field may be missing, and a query can ask for that. `values` has all possible
    values if they are known, so that a negation becomes a search for the others.
    """

    type: FieldType
    read: Callable[..., Value]
    optional: bool = False
    values: tuple[str, ...] = ()


class Clause(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One condition. `key` is the key of a metadata field. `value` None asks for a missing field."""

    field: str
    key: str | None = None
    operator: str
    value: Value
    negated: bool = False


class Query(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Conditions on objects of one kind, named by its prefix. All must hold, or any of them if `is_any`."""

    kind: str
    clauses: tuple[Clause, ...]
    is_any: bool = False


METADATA = Field("token", lambda stored: None, optional=True)


def fold(text: str) -> str:
    """Return a text in the form in which it is compared."""
    return text.casefold()


def is_refunded(charge: Charge) -> bool:
    """Tell whether a charge was refunded in full, or released before it was captured."""
    return charge.released or (charge.captured and charge.amount_refunded == charge.amount_captured)


def _truth(value: bool) -> str:
    return "true" if value else "false"


_TRUTHS = (_truth(True), _truth(False))
_INTENT_STATUSES = (
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "requires_capture",
    "succeeded",
    "canceled",
)
_CHARGE_STATUSES = ("succeeded", "pending", "failed")
_CARD = "payment_method_details.card."
FIELDS: Mapping[str, Mapping[str, Field]] = {
    Customer.prefix: {
        "created": Field("number", lambda customer: customer.created),
        "email": Field("text", lambda customer: customer.email, optional=True),
        "metadata": METADATA,
        "name": Field("text", lambda customer: customer.name, optional=True),
        "phone": Field("text", lambda customer: customer.phone, optional=True),
    },
    PaymentIntent.prefix: {
        "amount": Field("number", lambda intent: intent.amount),
        "created": Field("number", lambda intent: intent.created),
        "currency": Field("token", lambda intent: intent.currency),
        "customer": Field("token", lambda intent: intent.customer, optional=True),
        "metadata": METADATA,
        "status": Field("token", lambda intent: intent.status, values=_INTENT_STATUSES),
    },
    Charge.prefix: {
        "amount": Field("number", lambda charge: charge.amount),
        "billing_details.address.postal_code": Field(
            "token", lambda charge: charge.billing_details.address.postal_code, optional=True
        ),
        "created": Field("number", lambda charge: charge.created),
        "currency": Field("token", lambda charge: charge.currency),
        "customer": Field("token", lambda charge: charge.customer, optional=True),
        "disputed": Field("truth", lambda charge: _truth(charge.dispute is not None), values=_TRUTHS),
        "metadata": METADATA,
        _CARD + "brand": Field("token", lambda charge: charge.card.brand),
        _CARD + "exp_month": Field("token", lambda charge: str(charge.card.exp_month)),
        _CARD + "exp_year": Field("token", lambda charge: str(charge.card.exp_year)),
        _CARD + "fingerprint": Field("token", lambda charge: charge.card.fingerprint),
        _CARD + "last4": Field("token", lambda charge: charge.card.last4),
        "refunded": Field("truth", lambda charge: _truth(is_refunded(charge)), values=_TRUTHS),
        "status": Field("token", lambda charge: charge.status, values=_CHARGE_STATUSES),
    },
}


def is_searchable(stored: StoredObject) -> bool:
    """Tell whether a search can find this object."""
    return prefix_of(stored.id) in FIELDS and not (isinstance(stored, Customer) and stored.deleted)


def matches(query: Query, stored: StoredObject) -> bool:
    """Tell whether this object matches a query."""
    if not is_searchable(stored) or prefix_of(stored.id) != query.kind:
        return False
    met = (_holds(clause, query.kind, stored) for clause in query.clauses)
    return any(met) if query.is_any else all(met)


def _holds(clause: Clause, kind: str, stored: StoredObject) -> bool:
    assert isinstance(stored, Searchable)
    if clause.key is not None:
        found: Value = stored.metadata.get(clause.key)
    else:
        found = FIELDS[kind][clause.field].read(stored)
    return _compares(clause, found) is not clause.negated


def _compares(clause: Clause, found: Value) -> bool:
    wanted = clause.value
    if found is None or wanted is None:
        return found is wanted
    if isinstance(found, int) and isinstance(wanted, int):
        return _COMPARISONS[clause.operator](found, wanted)
    folded, part = fold(str(found)), fold(str(wanted))
    return part in folded if clause.operator == "~" else part == folded


_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    ":": lambda found, wanted: found == wanted,
    ">": lambda found, wanted: found > wanted,
    "<": lambda found, wanted: found < wanted,
    ">=": lambda found, wanted: found >= wanted,
    "<=": lambda found, wanted: found <= wanted,
}
