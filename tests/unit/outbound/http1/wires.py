"""Answers as bytes, for whatever reads them: those that are complete, cut off, and none at all."""

from fastpay import limits

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

# The bytes, the method of the request, the body, and whether the connection may have another request.
GOOD = {
    "a length": (OK + b"Content-Length: 2\r\n\r\nok", "GET", b"ok", True),
    "a length of an empty body": (EMPTY, "GET", b"", True),
    "chunks": (CHUNKED + b"1;a=b\r\no\r\n1\r\nk\r\n0\r\n\r\n", "GET", b"ok", True),
    "trailers": (CHUNKED + b"2\r\nok\r\n0\r\nX-End: 1\r\nY:\r\n\r\n", "GET", b"ok", True),
    "no content": (b"HTTP/1.1 204 X\r\n\r\n", "GET", b"", True),
    "not modified": (b"HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", "GET", b"", True),
    "early hints": (b"HTTP/1.1 103 X\r\nLink: a\r\n\r\n" * 2 + EMPTY, "GET", b"", True),
    "one that closes": (OK + b"Connection: close\r\nContent-Length: 1\r\n\r\no", "GET", b"o", False),
    "an old one": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\no", "GET", b"o", False),
    "an old one that keeps": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\no",
        *("GET", b"o", True),
    ),
    "chunks of an old one": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        *("GET", b"", False),
    ),
}

# What could be read in two ways, has no end, or is not HTTP/1.1.
REFUSED = {
    "two lengths that agree": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    "a list of lengths": OK + b"Content-Length: 2, 2\r\n\r\nok",
    "a length and chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "a coding that was not asked for": OK + b"Transfer-Encoding: gzip\r\n\r\nx",
    "chunks of such a coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bare LF": OK + b"X: a\nContent-Length: 0\r\n\r\n",
    "a bare LF at the end": OK + b"X: a\r\n\nContent-Length: 0\r\n\r\n",
    "a bare LF in chunks": CHUNKED + b"1\no\r\n0\r\n\r\n",
    "a folded line": OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a folded coding": OK + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "more than a chunk's length": CHUNKED + b"1\r\nok\r\n0\r\n\r\n",
    "a length of an informational answer": b"HTTP/1.1 103 X\r\nContent-Length: 0\r\n\r\n" + EMPTY,
    "another protocol": b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status 600": b"HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
    "informational ones only": b"HTTP/1.1 103 X\r\n\r\n" * (limits.outbound_informational_max + 1) + EMPTY,
    "many fields": OK + b"X: a\r\n" * (limits.outbound_head_fields_max + 1) + b"\r\n",
    "a long line": OK + b"X: " + b"a" * limits.outbound_head_line_bytes_max + b"\r\n\r\n",
    "a head without an end": OK + b"X: " + b"a" * (2 * limits.outbound_head_bytes_max),
    "trailers without an end": CHUNKED + b"0\r\nX: " + b"a" * (2 * limits.outbound_head_bytes_max),
    "many trailers": CHUNKED + b"0\r\n" + b"X: a\r\n" * (limits.outbound_head_fields_max + 2) + b"\r\n",
}

# Their connection ends.
CUT = {
    "nothing": b"",
    "in the head": OK + b"X",
    "in the body": OK + b"Content-Length: 2\r\n\r\no",
    "between chunks": CHUNKED + b"1\r\no\r\n",
    "in the trailers": CHUNKED + b"1\r\no\r\n0\r\nX: a\r\n",
    "behind early hints": b"HTTP/1.1 103 X\r\n\r\n",
}
