"""Reads answers from the bytes of a connection: what a head says, and where a body ends. It does no I/O.

The parser is httptools', which is llhttp in its strict mode: it refuses a length twice or beside a coding,
folded lines, lines without CR, and control characters in fields. The rest is decided here:

| what                                  | becomes                                                        |
|---------------------------------------|----------------------------------------------------------------|
| an informational answer (103)         | left out, up to a bound; 101 is refused                        |
| the answer to a HEAD                  | over with its head, whatever length that says                  |
| a coding other than chunked           | refused: nobody asked for one (RFC 9112 7.4)                   |
| trailers                              | left out (ASGI has no place for them)                          |
| anything behind the end of an answer  | nobody's, and the connection is not kept: `keeps`              |
"""

from httptools import HttpParserError, HttpResponseParser

from fastpay import limits
from fastpay._native.plain_http import read_answer

_INFORMATIONAL_MIN, _SWITCHING_PROTOCOLS, _FINAL_MIN, _FINAL_MAX = 100, 101, 200, 599
_NOT_MODIFIED = 304
_BODILESS = frozenset((204, _NOT_MODIFIED))
_VERSION, _OLD_VERSION = "1.1", "1.0"
_HEAD_END = b"\r\n\r\n"


class AnswerMalformedError(Exception):
    """Not HTTP, or what two readers could understand differently."""


class AnswerReader:
    """One answer after another of a connection. Names of fields are in lower case.

    `status` is 0 until the head of the final answer is here. `length` is that of the body if the head says
    it, or else 0, and `buffered` how much of the body waits to be taken.
    """

    __slots__ = (
        *("_informational", "_is_head", "_is_until_end", "_lines", "_parser", "_pieces", "_unread"),
        *("buffered", "fields", "has_begun", "is_over", "keeps", "length", "status"),
    )

    def __init__(self) -> None:
        self._parser: HttpResponseParser | None = None
        self._is_head = False
        self._pieces: list[bytes] = []
        self.expect("")

    def expect(self, method: str) -> None:
        """Begin with the answer to a request of this method."""
        # The parser goes on behind the head of an answer to a HEAD as if there were a body.
        if self._parser is None or self._is_head:
            self._parser = HttpResponseParser(self)
        self._is_head = method == "HEAD"
        self._is_until_end = self.has_begun = self.is_over = self.keeps = False
        self._lines: list[tuple[bytes, bytes]] = []
        if self._pieces:
            self._pieces.clear()
        self._informational = self._unread = self.buffered = self.length = self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []

    def feed(self, data: bytes) -> None:
        """Read what came. Raises: AnswerMalformedError."""
        assert self._parser is not None
        if not (self.has_begun or self._is_head) and (plain := read_answer(data)) is not None:
            # Most are here at once and say nothing unusual. The parser is where it was: before an answer.
            self.status, self.fields, body = plain
            self._pieces.append(body)
            self.length = self.buffered = len(body)
            self.has_begun = self.is_over = self.keeps = True
            return
        self.has_begun, before = True, self.buffered
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if not self.is_over:
                cause = error.__context__
                raise (
                    cause if isinstance(cause, AnswerMalformedError) else AnswerMalformedError(str(error))
                ) from None
            self.keeps = False
        if self.is_over:
            # What is behind a head could be half of something that the parser says nothing of yet.
            if self._is_head and not data.endswith(_HEAD_END):
                self.keeps = False
        elif self.buffered == before:
            self._unread += len(data)
            if self._unread > limits.outbound_head_bytes_max:
                raise AnswerMalformedError("a head or the trailers of the answer are too long")
        else:
            self._unread = 0

    def end(self) -> bool:
        """Note the end of the connection; return whether the answer is over."""
        self.keeps = False
        self.is_over = self.is_over or self._is_until_end
        return self.is_over

    def take(self) -> bytes:
        """Return what came of the body since, b"" for nothing."""
        pieces = self._pieces
        if not pieces:
            return b""
        taken = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.buffered = 0
        return taken

    def close(self) -> None:
        """Let go of the parser, which knows this object by its methods."""
        self._parser = None

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Stop behind the end."""
        if self.is_over:
            raise AnswerMalformedError("there is more behind the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of a head or of trailers."""
        if len(self._lines) >= limits.outbound_head_fields_max:
            raise AnswerMalformedError("the answer has too many header fields")
        if len(name) + len(value) > limits.outbound_head_line_bytes_max:
            raise AnswerMalformedError("a header field of the answer is too long")
        self._lines.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Decide on the framing, and whether this is the answer."""
        assert self._parser is not None
        status, lines = self._parser.get_status_code(), self._lines
        length, coding = _framing(lines)
        if _INFORMATIONAL_MIN <= status < _FINAL_MIN:
            if status == _SWITCHING_PROTOCOLS:
                raise AnswerMalformedError("it switches to a protocol that nobody asked for")
            self._lines = []
            self._informational += 1
            if (
                self._informational > limits.outbound_informational_max
                or length is not None
                or coding is not None
            ):
                raise AnswerMalformedError("the answer has no final status")
            return
        if not _FINAL_MIN <= status <= _FINAL_MAX:
            raise AnswerMalformedError("the answer has no final status")
        version = self._parser.get_http_version()
        if version not in (_VERSION, _OLD_VERSION):
            raise AnswerMalformedError("the answer has an unknown version of HTTP")
        if coding not in (None, b"chunked"):
            raise AnswerMalformedError("the answer has a transfer coding that nobody asked for")
        # RFC 9112 6.1: what an HTTP/1.0 server says about chunks is not to be relied upon.
        self.keeps = self._parser.should_keep_alive() and (coding is None or version == _VERSION)
        if status in _BODILESS and (coding is not None or (length and status != _NOT_MODIFIED)):
            # Who announces a body where there is none may send it later: it would be the next answer. What a
            # 304 says of a length is that of another answer (RFC 9110 15.4.5).
            self.keeps = False
        self.status, self.fields, self._lines = status, lines, []
        self.length = length or 0
        self.is_over = self._is_head
        self._is_until_end = length is None and coding is None

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        if self.is_over:
            raise AnswerMalformedError("there is more behind the answer")
        self._pieces.append(data)
        self.buffered += len(data)

    def on_message_complete(self) -> None:
        """Note the end. Without a body the length was none of it (RFC 9110 8.6)."""
        self.length = self.buffered
        self.is_over = self.status != 0


def _framing(lines: list[tuple[bytes, bytes]]) -> tuple[int | None, bytes | None]:
    """Return the length in a head, which the parser has found valid, and its transfer codings."""
    length, codings = None, None
    for name, value in lines:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            codings = value.lower() if codings is None else codings + b", " + value.lower()
    return length, codings
