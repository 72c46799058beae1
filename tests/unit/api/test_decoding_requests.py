"""Requests to params: content types, queries, metadata, and whatever bytes may come."""

from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from fastpay import limits
from fastpay.api import decoding
from fastpay.api.decoding import decode_params, decode_query
from fastpay.errors import InvalidRequest, UnsupportedMediaType
from tests.reference import form_params as oracle
from tests.unit.api.example_params import (
    FORM,
    JSON,
    Created,
    Example,
    Params,
    decode_form,
    decode_json,
)


@pytest.mark.parametrize(
    "content_type",
    [FORM, f"{FORM}; charset=utf-8", f"{FORM};charset=UTF-8", "Application/X-WWW-Form-Urlencoded"],
)
def test_a_form_is_known_by_its_content_type(content_type: str) -> None:
    params = decode_params(Example, content_type=content_type, body=b"amount=1&currency=usd", query=b"")
    assert params.amount == 1


@pytest.mark.parametrize("content_type", [JSON, f'{JSON}; charset="utf-8"', "APPLICATION/JSON ; version=1"])
def test_json_is_known_by_its_content_type(content_type: str) -> None:
    body = b'{"amount":1,"currency":"usd"}'
    assert decode_params(Example, content_type=content_type, body=body, query=b"").amount == 1


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "multipart/form-data", f"{FORM}; charset=latin-1", f"{JSON}, {FORM}",
     f"{JSON}; charset=utf-16", f"{JSON}; charset=utf-8; charset=utf-16", "application/jsonx"],
)  # fmt: skip
def test_any_other_content_type_is_unsupported(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaType):
        decode_params(Example, content_type=content_type, body=b"amount=1&currency=usd", query=b"")


def test_an_empty_body_needs_no_content_type() -> None:
    params = decode_params(Created, content_type=None, body=b"", query=b"")
    assert params == Created()
    assert decode_params(Created, content_type=None, body=b"", query=b"gt=1") == Created(gt=1)
    with pytest.raises(UnsupportedMediaType):
        decode_params(Created, content_type="text/plain", body=b"", query=b"")
    with pytest.raises(InvalidRequest):
        decode_params(Created, content_type=JSON, body=b"", query=b"")


def test_a_query_adds_to_a_body_but_never_repeats_it() -> None:
    body = b'{"amount":1,"offset":2}'
    params = decode_params(Example, content_type=JSON, body=body, query=b"currency=usd&expand[]=a")
    assert (params.amount, params.currency, params.expand) == (1, "usd", ["a"])
    with pytest.raises(InvalidRequest) as caught:
        decode_params(Example, content_type=JSON, body=body, query=b"currency=usd&amount=1")
    assert caught.value.param == "amount"


def test_a_query_follows_the_rules_of_a_form() -> None:
    params = decode_query(Example, b"amount=1&currency=usd&created%5Bgt%5D=5&expand%5B%5D=a")
    assert (params.created, params.expand) == (Created(gt=5), ["a"])
    with pytest.raises(InvalidRequest) as caught:
        decode_query(Example, b"amount=1&currency=usd&limit=ten")
    assert caught.value.param == "limit"


def test_metadata_is_held_to_its_limits() -> None:
    full = {f"k{index}": "v" * limits.metadata_value_chars_max for index in range(limits.metadata_keys_max)}
    for metadata in (full, {"é" * limits.metadata_key_chars_max: "x"}):
        decode_json({"metadata": metadata})
    for metadata, param in [
        (full | {"more": "x"}, "metadata"),
        ({"k" * (limits.metadata_key_chars_max + 1): "x"}, f"metadata[{'k' * 41}]"),
        ({"k": "v" * (limits.metadata_value_chars_max + 1)}, "metadata[k]"),
        ({"a[b]": "x"}, "metadata[a[b]]"),
        ({"": "x"}, "metadata[]"),
    ]:
        with pytest.raises(InvalidRequest) as caught:
            decode_json({"metadata": metadata})
        assert caught.value.param == param
    for metadata in ({"k" * 41: "x"}, {"k": "v" * 501}, full | {"more": "x"}):
        with pytest.raises(InvalidRequest, match=r"(at most|from 1 to) \d+"):
            decode_form(urlencode({f"metadata[{key}]": value for key, value in metadata.items()}).encode())


class _Ordered(Params, frozen=True, kw_only=True):
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low must not be above high.")


def test_a_rule_of_the_params_type_itself_is_a_bad_request() -> None:
    with pytest.raises(InvalidRequest, match=r"^low must not be above high\.$"):
        decode_query(_Ordered, b"low=2&high=1")


class _Lax(msgspec.Struct):
    amount: int


class _Guess(Params, frozen=True, kw_only=True):
    amount: int | str


class _Fraction(Params, frozen=True, kw_only=True):
    amount: float


class _Renamed(Params, frozen=True, kw_only=True, rename={"amount": "sum"}):
    amount: int


@pytest.mark.parametrize("params_type", [_Lax, _Guess, _Fraction, _Renamed])
def test_a_params_type_that_would_have_to_be_guessed_is_our_own_mistake(params_type: Any) -> None:
    with pytest.raises(TypeError):
        decode_query(params_type, b"amount=1")


class _Node(Params, frozen=True, kw_only=True):
    inner: "_Node | UnsetType" = UNSET
    leaf: int | UnsetType = UNSET


def test_a_params_type_may_hold_itself() -> None:
    assert decode_query(_Node, b"inner[inner][leaf]=3") == _Node(inner=_Node(inner=_Node(leaf=3)))


_NAMES = st.sampled_from([*Example.__struct_fields__, "x"]).map(str.encode)
_TAILS = st.sampled_from([b"", b"[]", b"[0]", b"[1]", b"[name]", b"[number]", b"[0][price]", b"[gt]", b"["])
_VALUES = st.sampled_from([b"", b"1", b"0", b"true", b"usd", b"-1", b"1.5", b"null", b"%ff", b"manual"])
_FIELDS = st.builds(lambda name, tail, value: name + tail + b"=" + value, _NAMES, _TAILS, _VALUES)


@given(st.lists(_FIELDS, max_size=6).map(b"&".join) | st.binary(max_size=40))
def test_any_form_gives_params_or_a_bad_request(body: bytes) -> None:
    try:
        params = decode_form(body)
    except InvalidRequest:
        return
    assert msgspec.convert(msgspec.to_builtins(params), Example) == params


def _outcome(body: bytes) -> tuple[object, ...]:
    try:
        return (decode_form(body),)
    except InvalidRequest as error:
        return (error.message, error.param, error.code)


@given(st.lists(_FIELDS, max_size=6).map(b"&".join))
def test_the_fast_lane_of_a_form_agrees_with_the_careful_reader(body: bytes) -> None:
    fast = _outcome(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "decode_plainly", oracle.decode_plainly)
        slow = _outcome(body)
    assert fast == slow


_JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES.map(bytes.decode), inner, max_size=2),
    max_leaves=6,
)


@given(st.dictionaries(_NAMES.map(bytes.decode), _JSON_VALUES, max_size=5))
def test_any_json_gives_params_or_a_bad_request(fields: dict[str, Any]) -> None:
    try:
        params = decode_json(fields)
    except InvalidRequest:
        return
    assert msgspec.convert(msgspec.to_builtins(params), Example) == params
