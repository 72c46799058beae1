"""Long arrays in JSON cut into pieces: where the oracle cuts, and the same verdict as on the whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native.json_pieces import TooManyValues, split
from fastpay._native.strict_json import JsonError, decode
from tests.reference import json_pieces as oracle
from tests.unit.native.test_strict_json import TOKENS

NAME = b"transfers"
# Numbers with a fraction count twice; they are refused in any case.
WHOLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


def texts(body: bytes, size: int, values: int = 1_000) -> tuple[list[bytes], int] | None:
    """Return the texts of the pieces."""
    found = split(body, NAME, size, values, limits.json_values_max)
    return None if found is None else ([body[start:end] for start, end in found[0]], found[1])


def test_an_array_is_cut_after_so_many_elements_or_values() -> None:
    body = b'{"a":{"transfers":[9]},"transfers":[1 , [2,3],"],",\n{"x":4},5],"b":[6,7]}'
    assert texts(body, 2) == ([b"1 , [2,3]", b'"],",\n{"x":4}', b"5"], 5)
    assert texts(body, 100) == ([b'1 , [2,3],"],",\n{"x":4},5'], 5)
    assert texts(body, 100, 3) == ([b"1 , [2,3]", b'"],",\n{"x":4}', b"5"], 5)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1,2]",
        b'{"transfer":[1]}',
        b'{"transfers":{"a":1}}',
        b'{"transfers":[1],"transfers":[2]}',
        b'{"transfers":[1}]',
        b'{"transfers":[1]',
        b'{"transfers":[1]}}',
        b'{"transfers":' + b"[" * 100,
        b'{"\\u0074ransfers":[1]}',
    ],
)
def test_what_cannot_be_cut_is_left_whole(body: bytes) -> None:
    assert texts(body, 1) is None


def test_what_has_too_many_values_is_read_no_further() -> None:
    most = limits.json_values_max
    assert texts(b'{"transfers":[' + b"0," * (most - 3) + b"0]}", 100) is not None
    with pytest.raises(TooManyValues):
        texts(b'{"transfers":[' + b"[]," * most + b"\xff\x00", 100)


@given(
    WHOLE,
    st.lists(WHOLE, max_size=8),
    st.integers(1, 4),
    st.integers(1, 6),
    st.sampled_from(["", " ", "\n\t"]),
)
def test_pieces_are_the_oracles(
    before: object, elements: list[object], size: int, values: int, space: str
) -> None:
    tree = {"a": before, "transfers": elements, "b": [elements]}
    body = json.dumps(tree, separators=(f"{space},{space}", f"{space}:")).encode()
    assert texts(body, size, values) == oracle.split(body, "transfers", size, values)


@given(st.lists(TOKENS, max_size=14).map(b"".join), st.integers(1, 3))
def test_pieces_are_sound_where_the_whole_is_and_not_otherwise(inside: bytes, size: int) -> None:
    body = b'{"a":1,"transfers":[' + inside + b'],"b":2}'
    found = split(body, NAME, size, 1_000, limits.json_values_max)
    if found is None:
        with pytest.raises(JsonError):
            decode(body)
        return
    pieces, count = found
    around = body[: pieces[0][1]] + body[pieces[-1][1] :]
    parts = [around, *(b'{"transfers":[' + body[start:end] + b"]}" for start, end in pieces[1:])]
    read = [part_of(part) for part in parts]
    try:
        tree = decode(body)
    except JsonError:
        # A comma too many at the end may leave a piece without elements, which no batch may be.
        assert None in read or [] in read
    else:
        elements = [element for part in read if part is not None for element in part]
        assert elements == tree["transfers"]
        assert count == max(1, len(elements))


def part_of(text: bytes) -> list[object] | None:
    """Return the elements in a text, None where it is not JSON."""
    try:
        elements = decode(text)["transfers"]
    except JsonError:
        return None
    assert isinstance(elements, list)
    return [*elements]
