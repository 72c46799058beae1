"""Which objects a request names, in its query or its body, before anybody reads it in full."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from fastpay import limits
from fastpay.domain.cards import MAGIC_PAYMENT_METHODS, MAGIC_TOKENS
from fastpay.domain.kinds import ACCOUNT, KINDS

_IDENTIFIER = re.compile(r"([a-z]{2,8})_[0-9A-Za-z]{8,}", re.ASCII)
# Both sides have these.
_OF_BOTH = MAGIC_TOKENS.keys() | MAGIC_PAYMENT_METHODS.keys()
# Texts of the client's own, in which identifiers are no references. Of a tenant's account there is one.
_TEXTS = frozenset(("metadata", "description", "statement_descriptor", "client_secret"))
_PREFIXES = KINDS.keys() - {ACCOUNT.prefix}


def is_reference(value: str) -> bool:
    """Tell whether a text names an object that lives on one side."""
    found = _IDENTIFIER.fullmatch(value)
    return found is not None and found[1] in _PREFIXES and value not in _OF_BOTH


def named_in(query: bytes, body: bytes, content_type: str, *, besides: Collection[str] = ()) -> list[str]:
    """Return the identifiers that parameters name. Whoever answers refuses what cannot be read."""
    pairs = _form_references(query) if query else []
    if body:
        pairs += _json_references(body) if "json" in content_type.lower() else _form_references(body)
    return [value for name, value in pairs if name.partition("[")[0] not in _TEXTS and name not in besides]


def with_ours(query: bytes, ours: Mapping[str, str]) -> bytes:
    """Return a query or a form that names objects as this server does. `ours` is by the older identifiers.

    Nothing else changes, not a byte.
    """
    return b"&".join(_pair_with_ours(pair, ours) for pair in query.split(b"&"))


def body_with_ours(body: bytes, content_type: str, ours: Mapping[str, str]) -> bytes:
    """Return a body that names objects as this server does."""
    if "json" not in content_type.lower():
        return with_ours(body, ours)
    try:
        return msgspec.json.encode(_value_with_ours(msgspec.json.decode(body), ours))
    except (msgspec.DecodeError, RecursionError):
        # Whoever reads it says what is wrong.
        return body


def email_in(body: bytes, content_type: str) -> str | None:
    """Return the email address of a new customer."""
    pairs = _json(body) if "json" in content_type.lower() else _form(body)
    return next((value.lower() for name, value in pairs if name == "email" and value), None)


def _form(text: bytes) -> Iterable[tuple[str, str]]:
    try:
        return parse_qsl(text.decode("latin-1"), max_num_fields=limits.form_fields_max)
    except ValueError:
        return ()


def _json(body: bytes) -> Iterable[tuple[str, str]]:
    try:
        return _leaves("", msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError):
        return ()


def _json_references(body: bytes) -> list[tuple[str, str]]:
    return [(name, value) for name, value in _json(body) if is_reference(value)]


def _form_references(text: bytes) -> list[tuple[str, str]]:
    """Return the parameters of a form whose values are references, as `parse_qsl` would read them.

    Most values are none, which can be seen before they are decoded.
    """
    if text.count(b"&") >= limits.form_fields_max:
        return []
    found = []
    for pair in text.decode("latin-1").split("&"):
        name, _, value = pair.partition("=")
        if "%" in value:
            value = unquote_plus(value)
        if is_reference(value):
            found.append((unquote_plus(name), value))
    return found


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the texts in a value of JSON, each with the name of the parameter that it is in."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in _TEXTS:
                yield from _leaves(name or key, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(name, inner)


def _pair_with_ours(pair: bytes, ours: Mapping[str, str]) -> bytes:
    name, _, value = pair.partition(b"=")
    own = ours.get(_unquoted(value))
    if own is None or _unquoted(name).partition("[")[0] in _TEXTS:
        return pair
    return name + b"=" + own.encode()


def _unquoted(text: bytes) -> str:
    return unquote_plus(text.decode("latin-1"))


def _value_with_ours(value: Any, ours: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return ours.get(value, value)
    if isinstance(value, dict):
        return {
            name: inner if name in _TEXTS else _value_with_ours(inner, ours) for name, inner in value.items()
        }
    return [_value_with_ours(inner, ours) for inner in value] if isinstance(value, list) else value
