"""Forms parsed slowly and plainly: what `fastpay._native.form` must agree with."""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from fastpay import limits

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)", re.DOTALL)


def parse(body: bytes) -> dict[str, Any]:
    """Return the tree of a form, or raise ValueError."""
    fields = [field for field in body.split(b"&") if field]
    if len(fields) > limits.form_fields_max:
        raise ValueError("too many fields")
    tree: dict[str, Any] = {}
    for field in fields:
        name, equals, value = field.partition(b"=")
        if not equals:
            raise ValueError("no equals sign")
        _store(tree, _path(_unescape(name)), _unescape(value))
    return tree


def _unescape(text: bytes) -> str:
    if re.search(rb"%(?![0-9a-fA-F]{2})", text):
        raise ValueError("broken escape")
    plain = unquote_to_bytes(text.replace(b"+", b" "))
    if b"\0" in plain:
        raise ValueError("NUL")
    return plain.decode("utf-8")


def _path(name: str) -> list[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError("malformed brackets")
    path = [match[1], *re.findall(r"\[(.*?)\]", match[2], re.DOTALL)]
    if len(path) > limits.form_depth_max or "" in path[:-1]:
        raise ValueError("too deep, or an element without a number")
    return path


def _store(tree: dict[str, Any], path: list[str], value: str) -> None:
    *folders, last = path if path[-1] else path[:-1]
    for folder in folders:
        tree = tree.setdefault(folder, {})
        if not isinstance(tree, dict):
            raise ValueError("not an object")
    if path[-1]:
        if last in tree:
            raise ValueError("taken")
        tree[last] = value
        return
    elements = tree.setdefault(last, [])
    if not isinstance(elements, list):
        raise ValueError("not a list")
    elements.append(value)
