"""The HTTP client's requests and plain answers are what the plain oracle says, and what the reader says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native.plain_http import read_answer, write_request
from fastpay.outbound.http1.answers import AnswerReader
from tests.reference import plain_http as oracle

_TEXTS = st.text(max_size=12) | st.sampled_from(["/a b", "a\r\nb: c", "a\nb", "a\0", "é", "x" * 5_000])
_METHODS = st.sampled_from(["GET", "POST", "PO ST", "DELETE"])
LINES = [
    b"Content-Length: 2",
    b"content-length:2",
    b"Content-Length: 02",
    b"Content-Length: +2",
    b"Content-Length: 2 ",
    b"Content-Length: 0000000000000002",
    b"Content-Length: 18446744073709551618",
    b"Content-Length : 2",
    b"Connection: Keep-Alive",
    b"Connection: close",
    b"Proxy-Connection: close",
    b"Transfer-Encoding: chunked",
    b"Upgrade: h2c",
    b"X-Own:  a  b",
    b"X-Own:\ta",
    b"X-Own:",
    b"X-Own: ",
    b" folded",
    b"X\xe9: a",
    b"X: \xe9",
    b"X: a\0b",
    b"X: a\nb",
    b": a",
    b"",
]
STARTS = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 200 ",
    b"HTTP/1.1 200",
    b"HTTP/1.1 402 \xe9",
    b"HTTP/1.1 204 No Content",
    b"HTTP/1.1 304 Not Modified",
    b"HTTP/1.1 100 Continue",
    b"HTTP/1.1 600 No",
    b"HTTP/1.1 2x0 OK",
    b"HTTP/1.0 200 OK",
    b"http/1.1 200 OK",
    b"HTTP/1.1  200 OK",
    b"",
]
_LINES, _STARTS = st.sampled_from(LINES), st.sampled_from(STARTS)


def _outcome(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except ValueError:
        return ValueError


@given(_METHODS, _TEXTS, _TEXTS, st.dictionaries(_TEXTS, _TEXTS, max_size=4), st.binary(max_size=4_000))
def test_any_request_is_written_as_the_oracle_says(
    method: str, target: str, host: str, headers: dict[str, str], body: bytes
) -> None:
    arguments = (method, target, host, headers, body)
    assert _outcome(write_request, *arguments) == _outcome(oracle.write_request, *arguments)


@given(_STARTS, st.lists(_LINES, max_size=5), st.sampled_from([b"{}", b"", b"{", b"{}HTTP/1.1"]))
def test_any_answer_is_what_the_oracle_and_the_reader_say(
    start: bytes, lines: list[bytes], body: bytes
) -> None:
    _compare(b"\r\n".join([start, *lines, b"", body]))


@pytest.mark.parametrize("line", LINES)
def test_one_line_beside_the_length_is_taken_as_the_oracle_and_the_reader_say(line: bytes) -> None:
    for lines in ([line], [line, LINES[0]], [LINES[0], line]):
        for body in (b"{}", b"{", b"{}HTTP/1.1"):
            _compare(b"\r\n".join([STARTS[0], *lines, b"", body]))


@pytest.mark.parametrize("start", STARTS)
def test_any_first_line_is_taken_as_the_oracle_and_the_reader_say(start: bytes) -> None:
    _compare(b"\r\n".join([start, LINES[0], b"", b"{}"]))


@given(st.data())
def test_an_answer_with_any_byte_changed_is_what_the_oracle_and_the_reader_say(data: st.DataObject) -> None:
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Own: a\r\n\r\n{}"
    at = data.draw(st.integers(0, len(plain) - 1))
    changed = plain[:at] + data.draw(st.binary(max_size=2)) + plain[at + 1 :]
    _compare(changed)


@pytest.mark.parametrize("more", [0, 1])
def test_a_head_up_to_the_bounds_is_plain(more: int) -> None:
    fields, line = limits.outbound_head_fields_max + more, limits.outbound_head_line_bytes_max + more
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
    for wire in (
        start + b"a: b\r\n" * (fields - 1) + b"\r\n",
        start + b"a: " + b"b" * (line - 1) + b"\r\n\r\n",
    ):
        found = read_answer(wire)
        assert found == oracle.read_answer(wire)
        assert (found is None) == bool(more)


def _compare(data: bytes) -> None:
    found = read_answer(data)
    assert found == oracle.read_answer(data)
    if found is not None:
        assert found == _read_in_pieces(data)


def _read_in_pieces(data: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return what the reader finds that looks at each answer with care, after which it may be used again."""
    reader = AnswerReader()
    reader.expect("POST")
    for piece in (data[:1], data[1:]):
        reader.feed(piece)
    assert reader.is_over
    assert reader.keeps
    return reader.status, reader.fields, reader.take()
