"""Examples of requests and answers, made from the types: what must be there, with a value for each name.

An answer is rendered by the template of its shape, so it looks like one that a client gets.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from fastpay.api.common_params import Params, Part
from fastpay.api.envelopes import render_list
from fastpay.api.layout import Page, Shape, Slot, When, template
from fastpay.api.resource import Resource

_DIGITS = "019a3b7c5d1e7f0082b4c6d8e0f21436"
# Values by the names of parameters and fields. Of optional parameters only those of `_SHOWN` are in examples.
_VALUES: dict[str, Any] = {
    "amount": 1999,
    "amount_posted": 1999,
    "behaviour": "success",
    "brand": "visa",
    "card_id": "card_" + _DIGITS,
    "charge": "ch_" + _DIGITS,
    "client_secret": f"pi_{_DIGITS}_secret_5f2c",
    "code": "wallets",
    "country": "US",
    "created": 1_790_000_000,
    "credit_account": "lacc_" + _DIGITS,
    "currency": "usd",
    "customer": "cus_" + _DIGITS,
    "cvc": "123",
    "debit_account": "lacc_" + _DIGITS[::-1],
    "destination": "acct_" + _DIGITS,
    "email": "ada@example.com",
    "exp_month": 8,
    "exp_year": 2034,
    "fingerprint": "0123456789abcdef",
    "iban": "AT611904300234573201",
    "invoice_prefix": "0A1B2C3D",
    "ip_address": "192.0.2.1",
    "last4": "4242",
    "method": "card",
    "name": "Ada Lovelace",
    "net": 1999,
    "normal_side": "C",
    "number": "4242424242424242",
    "object_id": "pi_" + _DIGITS,
    "outcome": "succeeded",
    "payment_intent": "pi_" + _DIGITS,
    "payment_method": "pm_card_visa",
    "phase": "posted",
    "query": "status:'succeeded'",
    "reason": "fraudulent",
    "reporting_category": "charge",
    "request_id": "req_" + _DIGITS,
    "secret": "whsec_b3VyIHNlY3JldCBpcyBubyBzZWNyZXQ=",
    "setup_intent": "seti_" + _DIGITS,
    "side": "credit",
    "source": "tok_visa",
    "status": "succeeded",
    "transfer": "tr_" + _DIGITS,
    "type": "card",
    "url": "https://shop.example/hooks",
    "usage": "off_session",
    "user_agent": "Mozilla/5.0",
}
# Where a name has another value than usually, by the name of the type as well.
_SPECIAL: dict[tuple[str, str], Any] = {
    ("BalanceTransaction", "source"): "ch_" + _DIGITS,
    ("BalanceTransaction", "status"): "available",
    ("BalanceTransaction", "type"): "charge",
    ("Charge", "payment_method"): "pm_" + _DIGITS,
    ("CreateAccountParams", "normal_side"): "credit",
    ("CustomerAcceptance", "type"): "online",
    ("Dispute", "status"): "needs_response",
    ("EventData", "object"): {"id": "pi_" + _DIGITS, "object": "payment_intent"},
    ("Mandate", "payment_method"): "pm_" + _DIGITS,
    ("Mandate", "status"): "active",
    ("Mandate", "type"): "multi_use",
    ("RecordedEvent", "type"): "payment_intent.succeeded",
    ("SetupAttempt", "payment_method"): "pm_" + _DIGITS,
    ("SetupIntent", "client_secret"): f"seti_{_DIGITS}_secret_5f2c",
}
_SHOWN = frozenset(
    (
        "amount",
        "card",
        "confirm",
        "cvc",
        "email",
        "exp_month",
        "exp_year",
        "metadata",
        "name",
        "number",
        "payment_intent",
        "payment_method",
    )
)


def request(params_type: type[Params]) -> dict[str, Any]:
    """Return parameters that are valid for a type."""
    return dict(_parameters(inspect.type_info(params_type)))


def answer(resource: Resource | type) -> Any:
    """Return an object of a resource as it is rendered, or a view."""
    if not isinstance(resource, Resource):
        return _value(inspect.type_info(resource), resource.__name__, "", "")
    if resource.shape is None:
        return _value(inspect.type_info(resource.view), resource.view.__name__, "", resource.kind.prefix)
    shown = _sample(inspect.type_info(resource.view), resource.kind.prefix)
    made = template(resource.view, resource.shape)
    return msgspec.json.decode(made.render(shown, False, _filling(resource.shape)))


def _sample(kind: Any, prefix: str) -> msgspec.Struct:
    # Any: the types of msgspec.inspect have no common base that names their attributes.
    values = {
        field.name: _value(field.type, kind.cls.__name__, field.name, prefix)
        for field in kind.fields
        if field.required
    }
    made: msgspec.Struct = kind.cls(**values)
    return made


def _filling(shape: Shape) -> bytes | None:
    """Return what a slot of the shape is always filled with."""
    while isinstance(shape, When):
        shape = shape.otherwise if shape.whole is None else shape.whole
    for name, node in shape.items() if isinstance(shape, dict) else ():
        if isinstance(node, Slot) and isinstance(node.filled, Page):
            return msgspec.json.encode(render_list(f"/v1/{name}", [], has_more=False))
        if isinstance(node, Slot) and node.filled is not None:
            return msgspec.json.encode(_value(inspect.type_info(node.filled), "", name, ""))
    return None


def _fields(kind: Any, prefix: str) -> Any:
    if isinstance(kind, inspect.TypedDictType):
        named = kind.cls.__name__
        return {
            field.name: _value(field.type, named, field.name, prefix)
            for field in kind.fields
            if field.required
        }
    return dict(_parameters(kind)) if issubclass(kind.cls, Params | Part) else _sample(kind, prefix)


def _parameters(kind: Any) -> Iterator[tuple[str, Any]]:
    for field in kind.fields:
        if field.required or field.name in _SHOWN:
            yield field.name, _value(field.type, kind.cls.__name__, field.name, "")


def _value(kind: Any, owner: str, name: str, prefix: str) -> Any:
    """Return a value of a type for a name of its owner."""
    match kind:
        case inspect.Metadata():
            return _value(kind.type, owner, name, prefix)
        case inspect.UnionType():
            (first, *_) = (part for part in kind.types if not isinstance(part, inspect.NoneType))
            return _value(first, owner, name, prefix)
        case inspect.StructType() | inspect.TypedDictType():
            return _fields(kind, prefix)
        case inspect.ListType() | inspect.VarTupleType():
            return [_value(kind.item_type, owner, name, prefix)]
    return _plain(kind, owner, name, prefix)


def _plain(kind: Any, owner: str, name: str, prefix: str) -> Any:
    found = _SPECIAL.get((owner, name), _VALUES.get(name))
    if name == "id" and prefix:
        found = f"{prefix}_{_DIGITS}"
    match kind:
        case inspect.LiteralType():
            return found if found in kind.values else kind.values[0]
        case inspect.BoolType():
            return name == "confirm"
        case inspect.DictType():
            is_counted = isinstance(kind.value_type, inspect.IntType)
            return found or ({"card": 0} if is_counted else {"order": "6735"})
        case inspect.IntType():
            return found if isinstance(found, int) else 0
    return found if found is not None else "text"


def fields_of(params_type: type) -> tuple[inspect.Field, ...]:
    """Return the fields of a type."""
    info: Any = inspect.type_info(params_type)
    fields: tuple[inspect.Field, ...] = info.fields
    return fields


def nested_names(params_type: type[Params]) -> list[str]:
    """Return the parameters that are objects or lists, which a form writes with brackets."""
    simple = (inspect.StrType, inspect.IntType, inspect.BoolType, inspect.LiteralType, inspect.NoneType)
    return [
        field.encode_name
        for field in fields_of(params_type)
        if not all(isinstance(part, simple) for part in _parts(field.type))
    ]


def _parts(kind: Any) -> Iterator[Any]:
    if isinstance(kind, inspect.Metadata):
        yield from _parts(kind.type)
    elif isinstance(kind, inspect.UnionType):
        yield from kind.types
    else:
        yield kind
