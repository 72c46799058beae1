"""Stored objects with anything in their fields, for tests of what reads them where they lie."""

import functools
import types
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from fastpay.domain.cards import BEHAVIOURS
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.domain.objects import Charge, Customer, PaymentIntent, PaymentMethod, Refund, StoredObject

TEXTS = st.text(max_size=40) | st.text(alphabet='"\\/\b\f\n\r\t\0\x1f\x7f\x80é€😀a', max_size=40)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
# Fields that hold JSON as a text.
_JSON_FIELDS = frozenset(
    (
        "amount_details",
        "financial_addresses",
        "level3",
        "enhanced_eligibility",
        "enhanced_evidence",
        "payment_details",
        "radar_options",
    )
)
_JSON = st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2).map(
    lambda found: msgspec.json.encode(found).decode()
)
_METADATA = st.dictionaries(TEXTS, TEXTS, max_size=4)


def _of(kind: Any) -> st.SearchStrategy[Any]:
    """Return what a field of this type may hold."""
    match kind:
        case type() if issubclass(kind, msgspec.Struct):
            return structs(kind)
        case types.UnionType():
            return st.one_of([_of(part) for part in kind.__args__])
        case types.GenericAlias(__origin__=origin):
            return _METADATA if origin is dict else st.lists(TEXTS, max_size=3).map(tuple)
        # What `|` makes of a Literal and None.
        case _ if get_origin(kind) is Union:
            return st.one_of([_of(part) for part in get_args(kind)])
        case _ if get_origin(kind) is Literal:
            return st.sampled_from(get_args(kind))
        case _:
            return {str: TEXTS, int: NUMBERS, bool: st.booleans(), type(None): st.none()}[kind]


@functools.cache
def structs(kind: type[Any], **narrower: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return structs with anything in their fields, or in some of them what is given here.

    Kept, because to make a strategy takes longer than to draw from it.
    """
    fields = {
        field.name: _JSON if field.name in _JSON_FIELDS else _of(field.type)
        for field in msgspec.structs.fields(kind)
    }
    return st.builds(kind, **fields | narrower)


_OUTCOMES = {behaviour.outcome_type: None for behaviour in BEHAVIOURS.values()}
_REASONS = {behaviour.reason: None for behaviour in BEHAVIOURS.values()}

STORED: st.SearchStrategy[StoredObject] = st.one_of(
    structs(Customer),
    structs(PaymentMethod),
    structs(PaymentIntent, status=st.just("requires_action") | TEXTS),
    structs(
        Charge,
        status=st.just("succeeded") | TEXTS,
        outcome_type=st.sampled_from([*_OUTCOMES]),
        outcome_reason=st.sampled_from([*_REASONS]) | TEXTS,
    ),
    structs(Refund),
    structs(LedgerTransfer),
)
