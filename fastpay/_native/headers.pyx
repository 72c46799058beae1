"""The headers of a request as text. The contract is in headers.pyi.

Most requests have no header but ordinary ones, and of these a handful is read. So nothing is decoded until
somebody asks for it: a look-up compares names, which are few and of different lengths.
"""

from collections.abc import Mapping

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.tuple cimport PyTuple_GET_ITEM
from cpython.unicode cimport PyUnicode_DecodeLatin1
from libc.limits cimport LLONG_MAX
from libc.string cimport memcmp

from fastpay import limits
from fastpay._native.digit_runs cimport may_hold_number
from fastpay._native.ordinary_headers cimport is_plain_version
from fastpay._native.sampling cimport Sampler


cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    bint PyBytes_CheckExact(object value)
    bint PyTuple_CheckExact(object value)

cdef enum:
    BEARER_BYTES = 7
    LENGTH_DIGITS_MAX = 18
    # With more of them, repeated names are found in a set.
    COMPARED_MAX = 24

cdef Py_ssize_t _KEY_CHARS_MAX = limits.idempotency_key_chars_max
cdef str _AUTHORIZATION = "authorization"
cdef str _LENGTH = "content-length"
cdef str _TRACEPARENT = "traceparent"
cdef str _VERSION = "stripe-version"
cdef str _KEY = "idempotency-key"

SPECIAL = (
    b"origin", b"fastpay-signature", b"stripe-account", b"stripe-context", b"fastpay-timeout-ms",
    b"fastpay-server-timing",
)


@cython.final
cdef class Headers:

    def __cinit__(self, pairs not None):
        cdef Py_ssize_t index
        self.pairs = list(pairs)
        self.is_special = False
        for index in range(PyList_GET_SIZE(self.pairs)):
            pair = <object>PyList_GET_ITEM(self.pairs, index)
            if not PyTuple_CheckExact(pair) or len(<tuple>pair) != 2:
                name, value = pair
                self.pairs[index] = pair = (name, value)
            name = <object>PyTuple_GET_ITEM(pair, 0)
            if not PyBytes_CheckExact(name) or not PyBytes_CheckExact(<object>PyTuple_GET_ITEM(pair, 1)):
                raise TypeError("the names and values of headers must be bytes")
            self.is_special |= _is_special(<bytes>name, <bytes>PyTuple_GET_ITEM(pair, 1))

    cdef bint is_repeated(self) except -1:
        """Return whether a name occurs twice."""
        cdef Py_ssize_t count = PyList_GET_SIZE(self.pairs), index, other, size
        cdef bytes name, earlier
        if count > COMPARED_MAX:
            return len({name for name, _ in self.pairs}) < count
        for index in range(1, count):
            name = _name(self.pairs, index)
            size = PyBytes_GET_SIZE(name)
            for other in range(index):
                earlier = _name(self.pairs, other)
                if PyBytes_GET_SIZE(earlier) == size:
                    if memcmp(PyBytes_AS_STRING(earlier), PyBytes_AS_STRING(name), size) == 0:
                        return True
        return False

    cdef bytes find(self, str name):
        """Return the value as it was sent, None if there is no such header."""
        cdef tuple pair
        if not PyUnicode_IS_ASCII(name):
            return self._find_latin(name)
        pair = self._find_pair(name)
        return None if pair is None else <bytes>PyTuple_GET_ITEM(pair, 1)

    cdef tuple _find_pair(self, str name):
        """Return a name in ASCII with its value, as they were sent; None if there is no such header."""
        cdef Py_ssize_t index, size = PyUnicode_GET_LENGTH(name)
        cdef bytes other
        for index in range(PyList_GET_SIZE(self.pairs)):
            other = _name(self.pairs, index)
            if PyBytes_GET_SIZE(other) == size:
                if memcmp(PyBytes_AS_STRING(other), PyUnicode_DATA(name), size) == 0:
                    return <tuple>PyList_GET_ITEM(self.pairs, index)
        return None

    cdef bytes _find_latin(self, str name):
        for other, value in self.pairs:
            if other.decode("latin-1") == name:
                return value
        return None

    def get(self, str name not None, default=None):
        cdef bytes value = self.find(name)
        return default if value is None else _decode(value)

    def __getitem__(self, str name not None):
        cdef bytes value = self.find(name)
        if value is None:
            raise KeyError(name)
        return _decode(value)

    def __contains__(self, name):
        return isinstance(name, str) and self.find(<str>name) is not None

    def __len__(self):
        return PyList_GET_SIZE(self.pairs)

    def __iter__(self):
        return iter(self.keys())

    def __eq__(self, other):
        return isinstance(other, Mapping) and dict(self.items()) == dict(other.items())

    def __repr__(self):
        # Values may be secret.
        return f"Headers({self.keys()!r})"

    def keys(self):
        return [_decode(name) for name, _ in self.pairs]

    def values(self):
        return [_decode(value) for _, value in self.pairs]

    def items(self):
        return [(_decode(name), _decode(value)) for name, value in self.pairs]

    def bearer_token(self):
        cdef bytes value = self.find(_AUTHORIZATION)
        cdef Py_ssize_t size = 0 if value is None else PyBytes_GET_SIZE(value)
        cdef const char* text
        if size < BEARER_BYTES:
            return None
        text = PyBytes_AS_STRING(value)
        if memcmp(text, b"Bearer ", BEARER_BYTES) != 0:
            return None
        return PyUnicode_DecodeLatin1(text + BEARER_BYTES, size - BEARER_BYTES, NULL)

    def content_length(self):
        cdef bytes value = self.find(_LENGTH)
        cdef Py_ssize_t index
        cdef long long length = 0
        cdef const char* text
        if value is None or PyBytes_GET_SIZE(value) == 0:
            return 0
        text = PyBytes_AS_STRING(value)
        for index in range(PyBytes_GET_SIZE(value)):
            if not c"0" <= text[index] <= c"9":
                return 0
            length = length * 10 + (text[index] - c"0") if index < LENGTH_DIGITS_MAX else LLONG_MAX
        return length

    def plain_key(self):
        cdef bytes value = self.find(_KEY)
        cdef str key
        if value is None:
            return None
        key = _decode(value)
        self.is_key_plain = self.is_key_plain or is_plain(key)
        return key if self.is_key_plain else None

    def is_drawn(self, Sampler sampler not None, long long now_ns):
        return sampler.draw(self.find(_TRACEPARENT), now_ns)

    def plain_echoes(self, bint is_safe):
        # The pairs themselves: nobody changes them.
        cdef tuple version = self._find_pair(_VERSION)
        cdef tuple key = None if is_safe else self._find_pair(_KEY)
        cdef list echoes = []
        if version is not None:
            if not is_plain_version(<bytes>PyTuple_GET_ITEM(version, 1)):
                return None
            echoes.append(version)
        if key is not None:
            # Nearly always it was read before.
            if not self.is_key_plain and self.plain_key() is None:
                return None
            echoes.append(key)
        return echoes


Mapping.register(Headers)


def decode(pairs) -> Headers | None:
    cdef Headers headers = Headers.__new__(Headers, pairs)
    return None if headers.is_repeated() else headers


cdef inline bytes _name(list pairs, Py_ssize_t index):
    return <bytes>PyTuple_GET_ITEM(<object>PyList_GET_ITEM(pairs, index), 0)


cdef inline str _decode(bytes value):
    return PyUnicode_DecodeLatin1(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), NULL)


cdef bint _is_special(bytes name, bytes value) noexcept:
    cdef const char* text = PyBytes_AS_STRING(name)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
    if size == 6:
        return memcmp(text, b"origin", 6) == 0
    if size == 14:
        if memcmp(text, b"stripe-version", 14) == 0:
            return not is_plain_version(value)
        return memcmp(text, b"stripe-account", 14) == 0 or memcmp(text, b"stripe-context", 14) == 0
    if size == 17:
        return memcmp(text, b"fastpay-signature", 17) == 0
    if size == 18:
        return memcmp(text, b"fastpay-timeout-ms", 18) == 0
    return size == 21 and memcmp(text, b"fastpay-server-timing", 21) == 0


def is_plain_key(str header not None) -> bool:
    return is_plain(header)


cdef bint is_plain(str header) except -1:
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(header), index
    cdef const unsigned char* text
    if not PyUnicode_IS_ASCII(header) or not 0 < length <= _KEY_CHARS_MAX:
        return False
    text = <const unsigned char*>PyUnicode_DATA(header)
    if text[0] == c'"':
        return False
    for index in range(length):
        if not c"!" <= text[index] <= c"~":
            return False
    return not may_hold_number(header)
