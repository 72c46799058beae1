"""JSON decoded by the standard library and then held to the dialect, for `fastpay._native.strict_json`."""

import json
from typing import Any

from fastpay import limits


def decode(body: bytes, values_max: int = limits.json_values_max) -> dict[str, Any]:
    """Return the tree of a JSON object, or raise ValueError."""
    tree = json.loads(
        body.decode("utf-8"),
        object_pairs_hook=_object,
        parse_float=_refuse,
        parse_int=_integer,
        parse_constant=_refuse,
    )
    if not isinstance(tree, dict):
        raise ValueError("not an object")
    _check(tree, 1)
    if count_values(tree) > values_max:
        raise ValueError("too many values")
    return tree


def count_values(tree: Any) -> int:
    """Return how many values a tree has, itself among them and keys not."""
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return 1 + sum(map(count_values, inner))


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(members)
    if len(tree) != len(members):
        raise ValueError("the same key twice")
    return tree


def _refuse(text: str) -> None:
    raise ValueError(text)


def _integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise ValueError("beyond 64 bit")
    return int(text)


def _check(tree: Any, depth: int) -> None:
    match tree:
        case str():
            tree.encode("utf-8")
            if "\0" in tree:
                raise ValueError("NUL")
        case dict() | list():
            if depth > limits.json_depth_max:
                raise ValueError("too deep")
            inner = [*tree, *tree.values()] if isinstance(tree, dict) else tree
            for value in inner:
                _check(value, depth + 1)
