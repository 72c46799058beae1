"""What is passed on has the fields that the plain oracle says, in both directions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.passed_fields import answer_fields, request_head
from tests.reference import passed_fields as oracle

_RULED = sorted(oracle.HOP_BY_HOP | oracle.OF_THIS_SERVER)
_NAMES = st.sampled_from(
    [*_RULED, b"accept", b"x-own", b"traceparent", b"tracestate", b"fastpay-served-by", b"fastpay-request-id"]
)
_VALUES = st.binary(max_size=12) | st.sampled_from(
    [
        b"x-own",
        b"close",
        b"Keep-Alive, X-Own",
        b"1.1 fastpay",
        b"1.0 a, 1.1 fastpay (b)",
        b"a\r\nb: c",
        b"a\0",
    ]
)
_FIELDS = st.lists(st.tuples(_NAMES, _VALUES), max_size=8)
_TEXTS = st.sampled_from(["", "a", "10.0.0.1", "::1", "\xe9", "a\nb"])
_TRACES = st.none() | st.tuples(st.sampled_from(["00-1-2-01", "0\r1"]), st.sampled_from(["", "a=1"]))


def _outcome(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except ValueError:
        return ValueError


@given(_FIELDS, st.sampled_from(["1.0", "1.1", "2"]), st.none() | _TEXTS, _TEXTS, _TRACES)
def test_any_request_goes_on_as_the_oracle_says(
    fields: list[tuple[bytes, bytes]],
    version: str,
    client: str | None,
    request_id: str,
    trace: tuple[str, str] | None,
) -> None:
    arguments = (b"GET /a HTTP/1.1", fields, version, "http", client, request_id, trace)
    assert _outcome(request_head, *arguments) == _outcome(oracle.request_head, *arguments)


@given(st.sampled_from([200, 204, 304, 500]), _FIELDS, _TEXTS)
def test_any_answer_comes_back_as_the_oracle_says(
    status: int, fields: list[tuple[bytes, bytes]], request_id: str
) -> None:
    assert answer_fields(status, fields, request_id) == oracle.answer_fields(status, fields, request_id)


@pytest.mark.parametrize(
    ("start", "name", "value"),
    [
        (b"GET /a\r\nb: c HTTP/1.1", b"a", b"b"),
        (b"GET /a HTTP/1.1", b"a\r\nb", b"c"),
        (b"GET /a HTTP/1.1", b"a", b"b\nc"),
        (b"GET /a HTTP/1.1", b"host", b"b\0"),
        (b"GET /a HTTP/1.1", b"via", b"b\rc"),
    ],
)
def test_what_would_be_another_line_is_refused(start: bytes, name: bytes, value: bytes) -> None:
    with pytest.raises(ValueError, match="line break"):
        request_head(start, [(name, value)], "1.1", "http", None, "req_1", None)


@pytest.mark.parametrize(
    "pair", [("host", b"a"), (b"host", "a"), (None, b"a"), (b"a", None), (b"connection", None)]
)
def test_what_is_not_bytes_is_refused(pair: Any) -> None:
    with pytest.raises(TypeError):
        request_head(b"GET / HTTP/1.1", [pair], "1.1", "http", None, "req_1", None)
