"""Strict JSON: what is refused beside the grammar, the published cases, and agreement with the oracle."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native.strict_json import JsonError, decode
from tests.reference import strict_json as oracle
from tests.support import public_data as data_public

# Published cases that RFC 8259 accepts and this dialect does not, and why.
_FLOAT = "no field of the dialect has a fraction or an exponent"
_TWICE = "two readers may take either of two members with one key"
_NUL = "PostgreSQL's text cannot hold NUL"
_REFUSED_HERE = {
    "y_number.json": _FLOAT,
    "y_number_0e+1.json": _FLOAT,
    "y_number_0e1.json": _FLOAT,
    "y_number_double_close_to_zero.json": _FLOAT,
    "y_number_int_with_exp.json": _FLOAT,
    "y_number_real_capital_e.json": _FLOAT,
    "y_number_real_capital_e_neg_exp.json": _FLOAT,
    "y_number_real_capital_e_pos_exp.json": _FLOAT,
    "y_number_real_exponent.json": _FLOAT,
    "y_number_real_fraction_exponent.json": _FLOAT,
    "y_number_real_neg_exp.json": _FLOAT,
    "y_number_real_pos_exponent.json": _FLOAT,
    "y_number_simple_real.json": _FLOAT,
    "y_object_extreme_numbers.json": _FLOAT,
    "y_structure_lonely_negative_real.json": _FLOAT,
    "y_object_duplicated_key.json": _TWICE,
    "y_object_duplicated_key_and_value.json": _TWICE,
    "y_object_escaped_null_in_key.json": _NUL,
    "y_string_null_escape.json": _NUL,
}


def test_each_published_case_ends_as_it_should() -> None:
    accepted, refused = set(), set()
    cases = sorted(data_public.folder("json/test_parsing").iterdir())
    for case in cases:
        text = case.read_bytes()
        for body in (text, b'{"v":' + text + b"}"):
            try:
                decode(body)
            except JsonError:
                refused.add(case.name)
            else:
                accepted.add(case.name)
    assert len(cases) > 300
    assert {name for name in accepted if name.startswith("n_")} == set()
    wanted = {case.name for case in cases if case.name.startswith("y_")}
    assert wanted - accepted == set(_REFUSED_HERE)
    assert refused


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        (b"{}", {}),
        (b' \t\r\n{"a" : [ ] } ', {"a": []}),
        (b'{"a":{"a":1},"b":[{"a":1},{"a":2}]}', {"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}),
        (b'{"a":9223372036854775807,"b":-9223372036854775808}', {"a": 2**63 - 1, "b": -(2**63)}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b'{"a":"1.5e3 : {[\\\\"}', {"a": "1.5e3 : {[\\"}),
        (b'{"a":"\\\\u0000"}', {"a": "\\u0000"}),
        (b'{"a":"0:1"}', {"a": "0:1"}),
        (b'{"e":true,"E":null}', {"e": True, "E": None}),
    ],
)
def test_an_object_becomes_a_tree(body: bytes, tree: dict[str, Any]) -> None:
    assert decode(body) == tree


@pytest.mark.parametrize(
    ("body", "param", "word"),
    [
        (b"", None, "valid JSON"),
        (b"[]", None, "must be an object"),
        (b"null", None, "must be an object"),
        (b'"a"', None, "must be an object"),
        (b"1", None, "must be an object"),
        (b"1.0", None, "whole"),
        (b'{"a":1.0}', "a", "whole"),
        (b'{"a":-0.0}', "a", "whole"),
        (b'{"a":1e2}', "a", "whole"),
        (b'{"a":1E2}', "a", "whole"),
        (b'{"a":{"b":[0,{"c":2.5}]}}', "a[b][1][c]", "whole"),
        (b'{"a":9223372036854775808}', "a", "64 bits"),
        (b'{"a":-9223372036854775809}', "a", "64 bits"),
        (b'{"a":[1,18446744073709551616]}', "a[1]", "64 bits"),
        (b'{"a":' + b"1" * 100_000 + b"}", "a", "64 bits"),
        (b'{"a":1,"a":1}', "a", "twice"),
        (b'{"a":1,"\\u0061":1}', "a", "twice"),
        (b'{"a":{"b":1,"b":{}}}', "a[b]", "twice"),
        (b'{"x":[{},{"b":1,"c":2,"b":3}]}', "x[1][b]", "twice"),
        (b'{"":1,"":2}', "", "twice"),
        (b'{"a":"\\u0000"}', "a", "NUL"),
        (b'{"\\u0000":1}', None, "NUL"),
        (b'{"a":"\x00"}', "a", "NUL"),
        (b"{}\x00", None, "NUL"),
        (b'{"a":"\\ud800"}', "a", "surrogate"),
        (b'{"a":"\\udc00"}', "a", "surrogate"),
        (b'{"a":"\\ud800\\ud800"}', "a", "surrogate"),
        (b'{"a":"\\ud800x"}', "a", "surrogate"),
        (b'{"a":"\\ud800\\n"}', "a", "surrogate"),
        (b'{"a":"\\ud800', None, "surrogate"),
        (b'{"a":"\xed\xa0\x80"}', None, "UTF-8"),
        (b'{"a":"\xff"}', None, "UTF-8"),
        (b'{"a":"\xc0\x80"}', None, "UTF-8"),
        (b"\xef\xbb\xbf{}", None, "valid JSON"),
        ('{"a":1}'.encode("utf-16"), None, "NUL"),
        (b'{"a":NaN}', None, "valid JSON"),
        (b'{"a":[1.5,NaN]}', None, "valid JSON"),
        (b'{"a":1}{}', None, "valid JSON"),
        (b'{"a":01}', None, "valid JSON"),
        (b'{"a":1,}', None, "valid JSON"),
        (b"{'a':1}", None, "valid JSON"),
        (b'{"a":"\\u12"}', None, "valid JSON"),
        (b'{"a":"\\', None, "valid JSON"),
        (b'{"a":"\\u', None, "valid JSON"),
        (b"[" * 100_000, None, "too deeply"),
        (b'{"a":' * 100_000, None, "too deeply"),
        (b'{"a":1.5,"b":' + b"[" * 100_000, None, "too deeply"),
    ],
)
def test_what_is_ambiguous_or_malformed_is_refused(body: bytes, param: str | None, word: str) -> None:
    with pytest.raises(JsonError, match=word) as caught:
        decode(body)
    assert caught.value.param == param


def test_as_deep_as_allowed_is_taken_and_one_deeper_is_refused() -> None:
    inner = limits.json_depth_max - 1
    decode(b'{"a":' + b"[" * inner + b"]" * inner + b"}")
    with pytest.raises(JsonError, match="too deeply"):
        decode(b'{"a":[' + b"[" * inner + b"]" * inner + b"]}")


def test_brackets_in_a_string_are_not_depth() -> None:
    assert decode(b'{"a":"' + b"[" * 1000 + b'"}') == {"a": "[" * 1000}


def test_as_many_values_as_allowed_are_taken_and_one_more_is_refused() -> None:
    most = limits.json_values_max
    for value in (b"[]", b"{}", b'{"a":1,"b":[]}', b"1", b'"a"', b"true", b"null", b'":,[{"'):
        each = oracle.count_values(json.loads(value))
        count = (most - 2) // each
        left = most - 2 - count * each
        values = [value] * count + [b"false"] * left
        decode(b'{"a":[' + b", ".join(values) + b"]}")
        with pytest.raises(JsonError, match=f"at most {most}") as caught:
            decode(b'{"a":[' + b", ".join([*values, b"0"]) + b"]}")
        assert caught.value.code == "parameters_too_many"
        decode(b'{"a":[' + b", ".join([*values, b"0"]) + b"]}", most + 1)


def test_nothing_is_read_behind_the_bound() -> None:
    for element in (b"[],", b"{},", b"1,", b'"a":1,', b"null,"):
        with pytest.raises(JsonError, match="too many values"):
            # None of this is JSON, and nothing says so.
            decode(b'{"a":[' + element * (limits.json_values_max + 1) + b"\xff\x00\x01" + b"[" * 100)


def test_a_fault_is_not_explained_where_more_is_behind_it_than_may_be_read() -> None:
    """What was seen: a text of a megabyte was read in whole, and slowly, to name the parameter of a fault."""
    many = b",".join([b"[]"] * limits.json_values_max)
    for fault in (b'"\\u0000"', b'"\\ud800"', b"1.5"):
        with pytest.raises(JsonError) as caught:
            decode(b'{"a":' + fault + b',"b":[' + many + b"]}")
        assert caught.value.param is None


TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False)
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab\0é", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
TOKENS = st.sampled_from(
    rb'{ } [ ] , : " "a": "\u0061": "b" 1 -1 0 1.5 1e1 true null \u0000 \ud800 \udc00'.split(b" ")
) | st.sampled_from([b"\\", b"\xc3\xa9", b"\xff", b"\0", b" ", b"\n"])


def _mutated(draw: st.DrawFn) -> bytes:
    """Draw a JSON text into which a few tokens were spliced."""
    text = msgspec.json.encode(draw(st.dictionaries(st.text(max_size=2), TREES, max_size=3)))
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 3)))
        text = text[:start] + draw(TOKENS) + text[end:]
    return text


@given(st.composite(_mutated)() | st.lists(TOKENS, max_size=16).map(b"".join))
def test_any_bytes_give_what_the_oracle_gives(body: bytes) -> None:
    try:
        expected = oracle.decode(body)
    except ValueError:
        with pytest.raises(JsonError):
            decode(body)
    else:
        assert decode(body) == expected
