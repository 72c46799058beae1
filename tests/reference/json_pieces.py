"""The pieces of an array by the standard library's decoder, for `fastpay._native.json_pieces`."""

import json

from tests.reference.strict_json import count_values

_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"


def split(body: bytes, name: str, size: int, piece_values: int) -> tuple[list[bytes], int] | None:
    """Return the texts of the pieces and how many elements there are, of a text that is JSON, or None."""
    text = body.decode()
    tree = json.loads(text)
    if not isinstance(tree, dict) or not isinstance(tree.get(name), list):
        return None
    at = _open(text, name)
    starts, ends = [at], []
    elements = tree[name]
    count = values = 0
    for number, element in enumerate(elements):
        count, values = count + 1, values + count_values(element)
        at = _skip(text, at)
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if number + 1 < len(elements):
            if count == size or values >= piece_values:
                count = values = 0
                ends.append(at)
                starts.append(at + 1)
            at += 1
    ends.append(_skip(text, at))
    pieces = [text[start:end].encode() for start, end in zip(starts, ends, strict=True)]
    return pieces, max(1, len(elements))


def _open(text: str, name: str) -> int:
    """Return where the elements of a member of the object at the top begin."""
    at = _skip(text, 0) + 1
    while True:
        key, at = _DECODER.raw_decode(text, _skip(text, at))
        at = _skip(text, _skip(text, at) + 1)
        if key == name:
            return at + 1
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at) + 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
