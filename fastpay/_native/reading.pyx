"""Reads one request after another with llhttp, from bytes that the gate let through.

llhttp gives the meaning: target, fields, body. Here stands what it does not check and what a request
may not say (docs/HTTP.md). Gate and llhttp must agree where a head and a message end; where they do not, the
request is refused.
"""

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

cimport cython
from cpython.buffer cimport PyBUF_READ
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory

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

cdef tuple COMMON = (
    b"Accept", b"Accept-Encoding", b"Accept-Language", b"Cache-Control", b"Cookie", b"Origin", b"Priority",
    b"Referer", b"Stripe-Account", b"Stripe-Version", b"TE", b"User-Agent", b"X-Forwarded-For",
    b"X-Forwarded-Proto", b"X-Stripe-Client-User-Agent", b"Traceparent", b"Tracestate",
)
cdef dict SPECIAL = {
    b"Host": HOST,
    b"Content-Length": LENGTH,
    b"Transfer-Encoding": CODING,
    b"Connection": CONNECTION,
    b"Expect": EXPECT,
    b"Upgrade": UPGRADE,
}


def build_names(single_headers):
    """Return the table from names as they are sent to (lower-case name, kind of field)."""
    names = {}
    kinds = {name: PLAIN for name in COMMON} | SPECIAL
    for index, name in enumerate(single_headers):
        kinds[name.encode()] = SINGLE + index
    for name, kind in kinds.items():
        entry = (name.lower(), int(kind))
        names[name] = names[name.lower()] = names[name.title()] = entry
    return names


@cython.final
cdef class Reading:
    """The reading side of a connection while it has bytes; pooled, since most connections are idle."""

    def __init__(self, dict names):
        self.names = names
        self.buffer = b""
        self.size = 0
        self.offset = 0
        self.output = []
        self.renew()
        begin_head(&self.gate)

    cdef int renew(self) except -1:
        # llhttp reads nothing more after a message that closes; a new one begins like the first.
        self.parser = HttpRequestParser(self)
        self.feed = self.parser.feed_data
        return 0

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

    cdef int skip(self, Py_ssize_t count) except -1:
        self.offset += count
        if self.offset == self.size:
            self.buffer = b""
            self.size = 0
            self.offset = 0
        return 0

    cdef int judge(self, const Bounds* bounds) except -1:
        # MORE, DONE or a refusal, for the head at the start of the buffer.
        return judge_head(&self.gate, self.start(), self.unread(), bounds)

    cdef int read_head(self, const Bounds* bounds) except -1:
        # After the gate said DONE: give the head to llhttp and judge what it means. DONE or a refusal.
        cdef const unsigned char* data = self.start()
        cdef Py_ssize_t length = self.gate.position
        cdef int verdict
        self.target = None
        self.headers = []
        self.host = None
        self.body = None
        self.length = 0
        self.fields = 0
        self.fault = 0
        self.has_host = self.has_length = self.is_chunked = False
        self.wants_close = self.wants_keep_alive = self.expects_continue = False
        self.head_complete = self.message_complete = self.discards = False
        self.is_version_1_0 = self.gate.is_version_1_0
        self.method = find_method(data, self.gate.method_length)
        begin_head(&self.gate)
        if self.method is None:
            return REFUSED_METHOD
        verdict = self._pass_on(data, length)
        if verdict == DONE and not self.head_complete:
            verdict = REFUSED_DISAGREEMENT
        if self.fault:
            verdict = self.fault
        if verdict == DONE:
            verdict = self._judge_meaning(bounds)
        self.skip(length)
        return verdict

    cdef int read_body(self, const Bounds* bounds) except -1:
        # MORE, DONE when the message has ended, or a refusal.
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
                # The ordinary request: one packet, and nothing else in it.
                self.feed(self.buffer)
            else:
                self.feed(PyMemoryView_FromMemory(<char*>data, length, PyBUF_READ))
        except (HttpParserError, HttpParserUpgrade):
            self.renew()
            return REFUSED_DISAGREEMENT
        return DONE

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
            if self.is_chunked:
                return REFUSED_CODING_REPEATED
            self.is_chunked = True
            return 0 if value == b"chunked" else REFUSED_CODING_UNKNOWN
        if kind == CONNECTION:
            return self._note_connection(value)
        if kind == EXPECT:
            # RFC 9110 10.1.1: from a 1.0 client it means nothing.
            self.expects_continue = not self.is_version_1_0
            return 0 if value.lower() == b"100-continue" or self.is_version_1_0 else REFUSED_EXPECTATION
        if kind == UPGRADE:
            return REFUSED_UPGRADE
        bit = 1 << (kind - SINGLE)
        if self.fields & bit:
            return REFUSED_FIELD_REPEATED
        self.fields |= bit
        return 0

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

    # What llhttp calls. Nothing here may raise: a fault is noted and looked at afterwards.

    def on_url(self, bytes target):
        self.target = target

    def on_header(self, bytes name, bytes value):
        cdef int kind
        cdef Py_ssize_t length
        if self.head_complete:
            # A trailer field. It is never merged into the fields of the head (RFC 9110 6.5.1).
            return
        # llhttp leaves white space after a value where it is (RFC 9112 5.1 has it taken away).
        length = PyBytes_GET_SIZE(value)
        if length and PyBytes_AS_STRING(value)[length - 1] in (c" ", c"\t"):
            value = value.rstrip(b" \t")
        entry = self.names.get(name)
        if entry is None:
            lower = name.lower()
            entry = self.names.get(lower)
            if entry is None:
                self.headers.append((lower, value))
                return
        kind = (<tuple>entry)[1]
        self.headers.append(((<tuple>entry)[0], value))
        if kind != PLAIN and not self.fault:
            self.fault = self._note(kind, value)

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
