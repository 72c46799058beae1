"""Reads one request after another with llhttp, from bytes that the gate has accepted.

llhttp reads every byte, and finds the ends of heads and messages and the contents of bodies. Target and
fields are cut out of the accepted head at the gate's offsets, which costs less than llhttp's callbacks for
each. This file also checks what llhttp does not check (docs/HTTP.md). Gate and llhttp must agree on the end
of a head and of a message; otherwise the request is refused.
"""

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

cimport cython
from cpython.buffer cimport PyBUF_READ
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.string cimport memcmp

from fastpay._native.gate cimport (
    DONE,
    MORE,
    REFUSED_BODY_LENGTH,
    REFUSED_METHOD,
    begin_chunks,
    begin_head,
    judge_chunks,
    judge_head,
)
from fastpay._native.names cimport Names, lower
from fastpay._native.target cimport (
    REFUSED_CODING_AND_LENGTH,
    REFUSED_CODING_REPEATED,
    REFUSED_CODING_UNKNOWN,
    REFUSED_CODING_VERSION,
    REFUSED_DISAGREEMENT,
    REFUSED_EXPECTATION,
    REFUSED_FIELD_REPEATED,
    REFUSED_HOST_INVALID,
    REFUSED_HOST_MISSING,
    REFUSED_HOST_REPEATED,
    REFUSED_LENGTH_INVALID,
    REFUSED_LENGTH_REPEATED,
    REFUSED_UPGRADE,
    find_method,
    is_host,
)

cdef enum Field:
    PLAIN
    HOST
    LENGTH
    CODING
    CONNECTION
    EXPECT
    UPGRADE
    SINGLE = 16

cdef enum:
    LENGTH_DIGITS = 15

cdef const char* PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

cdef tuple COMMON = (
    b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"cookie", b"origin", b"priority",
    b"referer", b"stripe-account", b"stripe-version", b"te", b"user-agent", b"x-forwarded-for",
    b"x-forwarded-proto", b"x-stripe-client-user-agent", b"traceparent", b"tracestate",
)
cdef dict SPECIAL = {
    b"host": HOST,
    b"content-length": LENGTH,
    b"transfer-encoding": CODING,
    b"connection": CONNECTION,
    b"expect": EXPECT,
    b"upgrade": UPGRADE,
}


def build_names(single_headers):
    """Return the table from names to kinds of field."""
    kinds = {name: PLAIN for name in COMMON} | SPECIAL
    for index, name in enumerate(single_headers):
        kinds[name.lower().encode()] = SINGLE + index
    return Names({name: int(kind) for name, kind in kinds.items()})


@cython.final
cdef class Reading:
    """The reading side of a connection while it has bytes; pooled, because most connections are idle."""

    def __init__(self, Names names):
        self.names = names
        self.buffer = b""
        self.size = 0
        self.offset = 0
        self.output = []
        self.renew()
        begin_head(&self.gate)

    cdef int renew(self) except -1:
        # llhttp reads nothing after a message that closes the connection; then a new parser is needed.
        self.parser = HttpRequestParser(self)
        self.feed = self.parser.feed_data
        return 0

    cdef bint is_last(self) noexcept:
        # Whether the message that was read last ends the connection (RFC 9112 9.3).
        return self.wants_close or (self.is_version_1_0 and not self.wants_keep_alive)

    cdef int add(self, bytes data) except -1:
        if self.offset == self.size:
            self.buffer = data
            self.size = PyBytes_GET_SIZE(data)
            self.offset = 0
            return 0
        if type(self.buffer) is bytes:
            self.buffer = bytearray(self.buffer[self.offset:] if self.offset else self.buffer)
            self.offset = 0
        elif self.offset > 65_536:
            del self.buffer[:self.offset]
            self.offset = 0
        self.buffer += data
        self.size = len(self.buffer)
        return 0

    cdef Py_ssize_t unread(self) noexcept:
        return self.size - self.offset

    cdef const unsigned char* start(self) except NULL:
        if type(self.buffer) is bytes:
            return <const unsigned char*>PyBytes_AS_STRING(self.buffer) + self.offset
        return <const unsigned char*>PyByteArray_AS_STRING(self.buffer) + self.offset

    cdef bytes rest(self):
        cdef const char* data = <const char*>self.start()
        return PyBytes_FromStringAndSize(data, self.unread())

    cdef bint may_be_preface(self) except -1:
        # Whether the unread bytes are, or may become, the preface of HTTP/2 (RFC 9113 3.4).
        return memcmp(self.start(), PREFACE, min(self.unread(), PREFACE_BYTES)) == 0

    cdef int skip(self, Py_ssize_t count) except -1:
        self.offset += count
        if self.offset == self.size:
            self.buffer = b""
            self.size = 0
            self.offset = 0
        return 0

    cdef int judge(self, const Bounds* bounds) except -1:
        # Return MORE, DONE or a refusal for the head at the start of the buffer.
        return judge_head(&self.gate, self.start(), self.unread(), bounds)

    cdef int read_head(self, const Bounds* bounds) except -1:
        # Called after the gate's DONE: pass the head to llhttp and check its meaning. Return DONE or a
        # refusal.
        cdef const unsigned char* data = self.start()
        cdef Py_ssize_t length = self.gate.position
        cdef int verdict
        self.target = None
        self.headers = []
        self.host = None
        self.body = None
        self.length = 0
        self.fields = 0
        self.has_host = self.has_length = self.is_chunked = False
        self.wants_close = self.wants_keep_alive = self.expects_continue = False
        self.head_complete = self.message_complete = self.discards = False
        self.is_version_1_0 = self.gate.is_version_1_0
        self.method = find_method(data, self.gate.method_length)
        cdef Py_ssize_t target_start = self.gate.target_start
        cdef Py_ssize_t target_bytes = self.gate.target_end - target_start
        cdef Py_ssize_t headers_start = self.gate.headers_start
        begin_head(&self.gate)
        if self.method is None:
            return REFUSED_METHOD
        self.target = PyBytes_FromStringAndSize(<const char*>data + target_start, target_bytes)
        verdict = self._take_fields(data + headers_start)
        if verdict == DONE:
            verdict = self._pass_on(data, length)
        if verdict == DONE and not self.head_complete:
            verdict = REFUSED_DISAGREEMENT
        if verdict == DONE:
            verdict = self._judge_meaning(bounds)
        self.skip(length)
        self.head_bytes = length
        return verdict

    cdef int read_body(self, const Bounds* bounds) except -1:
        # Return MORE, DONE at the end of the message, or a refusal.
        cdef Py_ssize_t length = self.unread()
        cdef Py_ssize_t used = length
        cdef int verdict = MORE
        if not length:
            return DONE if self.message_complete else MORE
        if self.is_chunked:
            verdict = judge_chunks(&self.chunks, self.start(), length, bounds, &used)
            if verdict > DONE:
                return verdict
        else:
            if self.length <= length:
                used = self.length
                verdict = DONE
            self.length -= used
        cdef int passed = self._pass_on(self.start(), used)
        self.skip(used)
        if passed != DONE:
            return passed
        return verdict if (verdict == DONE) == self.message_complete else REFUSED_DISAGREEMENT

    cdef int _pass_on(self, const unsigned char* data, Py_ssize_t length) except -1:
        try:
            if length == self.size and type(self.buffer) is bytes:
                # The usual case: the buffer is exactly this message.
                self.feed(self.buffer)
            else:
                self.feed(PyMemoryView_FromMemory(<char*>data, length, PyBUF_READ))
        except (HttpParserError, HttpParserUpgrade):
            self.renew()
            return REFUSED_DISAGREEMENT
        return DONE

    cdef int _take_fields(self, const unsigned char* at) except -1:
        # Cut the fields out of a judged head: each is a name, a colon, a value and CR LF.
        cdef const unsigned char* colon
        cdef const unsigned char* stop
        cdef const unsigned char* line_end
        cdef int index
        cdef int kind
        cdef int first_fault = 0
        cdef bytes name
        while at[0] != c"\r":
            colon = at
            while colon[0] != c":":
                colon += 1
            index = self.names.find(at, colon - at)
            name = lower(at, colon - at) if index < 0 else <bytes>self.names.names[index]
            kind = PLAIN if index < 0 else self.names.kinds[index]
            at = colon + 1
            while at[0] == c" " or at[0] == c"\t":
                at += 1
            line_end = at
            while line_end[0] != c"\r":
                line_end += 1
            stop = line_end
            # White space around a value is not part of it (RFC 9112 5.1).
            while stop > at and (stop[-1] == c" " or stop[-1] == c"\t"):
                stop -= 1
            value = PyBytes_FromStringAndSize(<const char*>at, stop - at)
            self.headers.append((name, value))
            if kind != PLAIN and not first_fault:
                first_fault = self._note(kind, value)
            at = line_end + 2
        return first_fault if first_fault else DONE

    cdef int _judge_meaning(self, const Bounds* bounds) except -1:
        if not self.has_host and not self.is_version_1_0:
            return REFUSED_HOST_MISSING
        if self.is_chunked:
            if self.is_version_1_0:
                return REFUSED_CODING_VERSION
            if self.has_length:
                return REFUSED_CODING_AND_LENGTH
            begin_chunks(&self.chunks)
        elif self.length > bounds.body_bytes:
            return REFUSED_BODY_LENGTH
        if self.message_complete != (self.length == 0 and not self.is_chunked):
            return REFUSED_DISAGREEMENT
        return DONE

    cdef int _note(self, int kind, bytes value) except -1:
        cdef unsigned int bit
        if kind == HOST:
            if self.has_host:
                return REFUSED_HOST_REPEATED
            self.has_host = True
            self.host = value
            return 0 if is_host(value) else REFUSED_HOST_INVALID
        if kind == LENGTH:
            return self._note_length(value)
        if kind == CODING:
            return self._note_coding(value)
        if kind == CONNECTION:
            return self._note_connection(value)
        if kind == EXPECT:
            # RFC 9110 10.1.1: a server ignores it from an HTTP/1.0 client.
            self.expects_continue = not self.is_version_1_0
            return 0 if value.lower() == b"100-continue" or self.is_version_1_0 else REFUSED_EXPECTATION
        if kind == UPGRADE:
            return REFUSED_UPGRADE
        bit = 1 << (kind - SINGLE)
        if self.fields & bit:
            return REFUSED_FIELD_REPEATED
        self.fields |= bit
        return 0

    cdef int _note_coding(self, bytes value) except -1:
        if self.is_chunked:
            return REFUSED_CODING_REPEATED
        self.is_chunked = True
        if value == b"chunked":
            return 0
        if not value:
            return REFUSED_DISAGREEMENT
        # RFC 9112 6.1: chunked must be the last coding, once. Other codings are not supported.
        codings = [coding.strip(b" \t") for coding in value.lower().split(b",")]
        return REFUSED_CODING_REPEATED if b"chunked" in codings[:-1] else REFUSED_CODING_UNKNOWN

    cdef int _note_connection(self, bytes value) except -1:
        if value == b"keep-alive" or value == b"Keep-Alive":
            self.wants_keep_alive = True
            return 0
        for option in value.lower().split(b","):
            option = option.strip(b" \t")
            if option == b"close":
                self.wants_close = True
            elif option == b"keep-alive":
                self.wants_keep_alive = True
        return 0

    cdef int _note_length(self, bytes value) except -1:
        cdef const unsigned char* digits = <const unsigned char*>PyBytes_AS_STRING(value)
        cdef Py_ssize_t index
        if self.has_length:
            return REFUSED_LENGTH_REPEATED
        self.has_length = True
        self.length = 0
        if not 0 < PyBytes_GET_SIZE(value) <= LENGTH_DIGITS:
            return REFUSED_LENGTH_INVALID
        for index in range(PyBytes_GET_SIZE(value)):
            if not c"0" <= digits[index] <= c"9":
                return REFUSED_LENGTH_INVALID
            self.length = self.length * 10 + digits[index] - 48
        return 0

    # Called by llhttp. Nothing here may raise.

    def on_headers_complete(self):
        self.head_complete = True

    def on_body(self, bytes data):
        if self.discards:
            return
        if self.body is None:
            self.body = data
        elif type(self.body) is bytearray:
            self.body += data
        else:
            self.body = bytearray(self.body)
            self.body += data

    def on_message_complete(self):
        self.message_complete = True
