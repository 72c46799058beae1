"""Fingerprints of requests: requests with the same meaning have the same one, however they are written.

The digest covers the decoded params, so a form and JSON are alike. Params still allow these differences:

| in the params                            | counts as                                 |
|------------------------------------------|-------------------------------------------|
| a currency in upper case                 | the one in lower case                     |
| the order and repetition of expand paths | a set                                     |
| the order of metadata                    | a map                                     |
| a card's number with spaces or dashes    | its digits                                |
| a card's year in two digits              | the year in four                          |
| null, where an object is created         | nothing, since there is nothing to unset  |
| metadata without a value, there too      | nothing                                   |

A release that changes canonical bytes refuses retries of requests from before the upgrade.
"""

import functools
import hashlib
from typing import Any

import msgspec
from msgspec import UNSET

from fastpay import limits
from fastpay._native.params import EmptySearch
from fastpay.api import card_params
from fastpay.api.common_params import Params
from fastpay.api.context import Call

_EMPTY = EmptySearch()
# Digests of a key and a target, to be copied.
_started: dict[tuple[bytes, str, str, str], "hashlib.blake2b"] = {}
_ENCODER = msgspec.msgpack.Encoder(order="deterministic")


class Fingerprints:
    """Makes the fingerprints of requests whose params are of one type."""

    def __init__(self, params_type: type[Params]) -> None:
        names = params_type.__struct_fields__
        self._creates = params_type.creates
        self._is_canonical = params_type.canonical is Params.canonical
        self._has_currency = "currency" in names
        self._card = next((name for name in ("payment_method_data", "card") if name in names), None)

    def make(self, call: Call, params: Params) -> bytes:
        """Return a keyed digest of the request.

        It covers card data. Its key is the tenant's, sealed in the same database: the digest hides card data
        from everybody who does not have the operator's sealing key too.
        """
        credentials = call.credentials
        # The kind of key is part of it: a publishable key gets less of an answer.
        target = (credentials.fingerprint_key, call.method, credentials.kind, call.path)
        started = _started.get(target)
        if started is None:
            started = _start(*target)
            if not call.arguments:
                # Targets that name an object are not kept.
                _keep(started, target)
        digest = started.copy()
        digest.update(self.encode(params))
        return digest.digest()

    def encode(self, params: Params) -> bytes:
        """Return the canonical bytes of params."""
        if self._has_currency:
            currency: Any = params.currency  # type: ignore[attr-defined]
            if currency is not UNSET and not currency.islower():
                params = msgspec.structs.replace(params, currency=currency.lower())
        if len(params.expand) > 1:
            params = msgspec.structs.replace(params, expand=tuple(sorted(set(params.expand))))
        if self._card is not None:
            card = getattr(params, self._card)
            if card is not UNSET and (canonical := card_params.canonical(card)) is not card:
                params = msgspec.structs.replace(params, **{self._card: canonical})
        if self._creates and _EMPTY.may_find(params):
            # Converted back to the type, so that params without empty values keep their bytes.
            tree = _without_empty(msgspec.to_builtins(params))
            return _ENCODER.encode(msgspec.convert(tree, type(params)))
        return _ENCODER.encode(params if self._is_canonical else params.canonical())


def _without_empty(tree: Any, *, is_metadata: bool = False) -> Any:
    """Return a tree without its nulls, and without metadata that has no value."""
    if isinstance(tree, tuple):
        return tuple(_without_empty(value) for value in tree)
    if not isinstance(tree, dict):
        return tree
    kept = {}
    for name, value in tree.items():
        if value is None or (is_metadata and value == ""):
            continue
        inside = _without_empty(value, is_metadata=name == "metadata" and not is_metadata)
        if name == "metadata" and not is_metadata and inside == {}:
            continue
        kept[name] = inside
    return kept


def _start(key: bytes, method: str, kind: str, path: str) -> "hashlib.blake2b":
    digest = _start_with_key(key, method, kind).copy()
    digest.update(f"{path}\0".encode("utf-8", "surrogatepass"))
    return digest


# The key is a block of its own, which is hashed once what follows it has come.
@functools.lru_cache(maxsize=limits.fingerprint_keys_kept)
def _start_with_key(key: bytes, method: str, kind: str) -> "hashlib.blake2b":
    digest = hashlib.blake2b(key=key[:64], digest_size=32)
    digest.update(f"{method}\0{kind}\0".encode())
    return digest


def _keep(started: "hashlib.blake2b", target: tuple[bytes, str, str, str]) -> None:
    if len(_started) >= limits.fingerprint_keys_kept:
        _started.clear()
    _started[target] = started
