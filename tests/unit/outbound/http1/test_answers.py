"""fastpay/outbound/http1/answers.py: what is an answer, where it ends, and what is behind it."""

import io
import itertools
from collections.abc import Sequence
from http.client import HTTPResponse
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay.outbound.http1.answers import AnswerMalformedError, AnswerReader
from tests.unit.outbound.http1.wires import CHUNKED, CUT, EMPTY, GOOD, OK, REFUSED

TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Read(NamedTuple):
    """What was read of an answer."""

    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes
    is_over: bool
    keeps: bool


def read(pieces: Sequence[bytes], method: str = "GET", *, ends: bool = False) -> Read:
    reader, body = AnswerReader(), b""
    reader.expect(method)
    for piece in pieces:
        # The connection hands nothing over that comes behind an answer.
        if reader.is_over:
            reader.keeps = False
            break
        reader.feed(piece)
        body += reader.take()
    if ends:
        reader.end()
    return Read(reader.status, reader.fields, body, reader.is_over, reader.keeps)


def splits(wire: bytes) -> list[list[bytes]]:
    """Return a message whole, byte by byte, and cut in two at each place."""
    cut = [[wire[:at], wire[at:]] for at in range(1, len(wire))]
    return [[wire], [bytes([byte]) for byte in wire], *cut]


@pytest.mark.parametrize(("wire", "method", "body", "keeps"), GOOD.values(), ids=GOOD)
def test_an_answer_ends_where_its_framing_says(wire: bytes, method: str, body: bytes, keeps: bool) -> None:
    for pieces in splits(wire):
        found = read(pieces, method)
        assert (found.body, found.is_over, found.keeps) == (body, True, keeps), pieces


@pytest.mark.parametrize("framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked", b"X: a"])
def test_the_answer_to_a_head_is_over_with_its_head(framing: bytes) -> None:
    """A piece that ends elsewhere may hold the beginning of something: then the connection is not kept."""
    wire = OK + framing + b"\r\n\r\n"
    assert all(read(pieces, "HEAD").is_over for pieces in splits(wire))
    assert read([wire], "HEAD").keeps == (framing != b"X: a")
    for behind in (b"5", b"\r", b"body", b"5\r\n\r\n", EMPTY):
        found = read([wire + behind], "HEAD")
        assert (found.is_over, found.body, found.keeps) == (True, b"", False), behind


def test_the_parser_of_an_answer_to_a_head_takes_no_other() -> None:
    reader = AnswerReader()
    for method in ("HEAD", "GET", "HEAD", "HEAD", "GET"):
        reader.expect(method)
        reader.feed(OK + b"Content-Length: 2\r\n\r\n")
        assert reader.is_over == (method == "HEAD")
        if method == "GET":
            reader.feed(b"ok")
        assert (reader.is_over, reader.keeps) == (True, True)


def test_without_a_framing_the_end_of_the_connection_is_the_end() -> None:
    wire = OK + b"X: a\r\n\r\nbody"
    for pieces in splits(wire):
        assert read(pieces)[2:] == (b"body", False, False)
        assert read(pieces, ends=True)[2:] == (b"body", True, False)
    assert not any(read([one], ends=True).is_over for one in CUT.values())


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"204 X\r\nContent-Length: 9", False),
        (b"204 X\r\nTransfer-Encoding: chunked", False),
        (b"304 X\r\nTransfer-Encoding: chunked", False),
        (b"204 X\r\nContent-Length: 0", True),
        (b"304 X\r\nContent-Length: 9", True),
    ],
)
def test_a_body_that_is_announced_where_there_is_none_may_come_later(head: bytes, keeps: bool) -> None:
    found = read([b"HTTP/1.1 " + head + b"\r\n\r\n"])
    assert (found.is_over, found.body, found.keeps) == (True, b"", keeps)


@pytest.mark.parametrize("behind", [b"H", EMPTY, b"\x00", b"0\r\n\r\n", b"HTTP/1.1 100 X\r\n\r\n"])
@pytest.mark.parametrize(
    "wire", [EMPTY, CHUNKED + b"0\r\n\r\n", b"HTTP/1.1 204 X\r\nContent-Length: 9\r\n\r\n"]
)
def test_what_is_behind_an_answer_is_not_kept(wire: bytes, behind: bytes) -> None:
    for pieces in splits(wire + behind)[: 2 + len(wire + behind)]:
        found = read(pieces)
        assert (found.body, found.is_over, found.keeps) == (b"", True, False), pieces


@pytest.mark.parametrize("wire", REFUSED.values(), ids=REFUSED)
def test_what_could_be_read_in_two_ways_or_has_no_end_is_refused(wire: bytes) -> None:
    step = max(1, len(wire) // 300)
    for pieces in ([wire], [wire[at : at + step] for at in range(0, len(wire), step)]):
        with pytest.raises(AnswerMalformedError):
            read(pieces)


def test_names_and_values_have_no_other_bytes_than_those_of_the_rfc() -> None:
    """RFC 9110 5.5 and 5.6.2: nothing that comes through here looks at them again."""

    def passes(name: bytes, value: bytes) -> bool:
        try:
            found = read([OK + name + b": " + value + b"\r\nContent-Length: 0\r\n\r\n"])
        except AnswerMalformedError:
            return False
        return found.fields[0] == (name.lower(), value)

    each = [bytes([byte]) for byte in range(256)]
    assert {one for one in each if passes(b"x" + one + b"x", b"a")} == {bytes([byte]) for byte in TOKEN}
    kept = {one for one in each if passes(b"x", b"a" + one + b"a")}
    assert kept == {b"\t"} | {bytes([byte]) for byte in range(0x20, 0x100) if byte != 0x7F}
    assert read([OK + b"X:\t a \t\r\nY:\r\n\r\n"]).fields == [(b"x", b"a"), (b"y", b"")]


@given(st.data())
def test_answers_are_read_as_the_standard_modules_client_does(data: st.DataObject) -> None:
    """In any pieces: status, fields, body and end."""
    draw = data.draw
    status, method = (
        draw(st.sampled_from((200, 201, 204, 304, 404, 500))),
        draw(st.sampled_from(("GET", "HEAD"))),
    )
    body = b"".join(chunks := draw(st.lists(st.binary(min_size=1, max_size=20), max_size=4)))
    has_body = method == "GET" and status not in (204, 304)
    # The other one takes chunks for the body of an answer that has none.
    framings = (b"length", b"end", b"chunked")[: 2 if status in (204, 304) else 3]
    framing = draw(st.sampled_from(framings))
    fields = [b"X-%d: %d" % (number, number) for number in range(draw(st.integers(0, 3)))]
    wire = b"HTTP/1.1 100 Continue\r\n\r\n" * draw(st.integers(0, 2)) + b"HTTP/1.1 %d Any\r\n" % status
    if framing == b"length":
        fields.append(b"Content-Length: %d" % len(body))
    if framing == b"chunked":
        fields.append(b"Transfer-Encoding: chunked")
        ending = b"0\r\n" + b"X-End: 1\r\n" * draw(st.integers(0, 2)) + b"\r\n"
        body_wire = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + ending
    else:
        body_wire = body
    wire += b"".join(field + b"\r\n" for field in fields) + b"\r\n" + (body_wire if has_body else b"")
    places = sorted({0, len(wire), *draw(st.lists(st.integers(0, len(wire)), max_size=6))})
    found = read([wire[a:b] for a, b in itertools.pairwise(places)], method, ends=True)

    class Raw:
        def makefile(self, *_: object) -> io.BytesIO:
            return io.BytesIO(wire)

    raw: Any = Raw()
    with HTTPResponse(raw, method=method) as other:
        other.begin()
        known = [(name.lower().encode(), value.encode()) for name, value in other.headers.items()]
        assert found[:3] == (other.status, known, other.read())
    assert found.is_over
