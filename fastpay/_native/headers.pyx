"""The headers of a request as text. The contract is in headers.pyi."""

import sys

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItemWithError, PyDict_SetItem
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_DecodeLatin1

from fastpay import limits
from fastpay._native.digit_runs cimport may_hold_number


cdef extern from "Python.h":
    dict _PyDict_NewPresized(Py_ssize_t count)
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef Py_ssize_t _KEY_CHARS_MAX = limits.idempotency_key_chars_max


# The names that most requests have, which the server shares between requests: their hashes are known.
cdef dict _NAMES = {
    name: sys.intern(name.decode())
    for name in (
        b"host", b"user-agent", b"authorization", b"stripe-version", b"accept", b"accept-encoding",
        b"idempotency-key", b"content-type", b"content-length", b"connection", b"traceparent",
        b"x-stripe-client-user-agent", b"x-stripe-client-telemetry", b"stripe-account", b"if-none-match",
        b"origin", b"fastpay-signature", b"fastpay-timeout-ms",
    )
}


def decode(pairs) -> dict:
    cdef dict headers = _PyDict_NewPresized(len(pairs))
    cdef PyObject* known
    cdef object text
    cdef bytes name, value
    cdef Py_ssize_t count = 0
    cdef object value_text
    for name, value in pairs:
        if name is None or value is None:
            raise TypeError("the names and values of headers must be bytes")
        known = PyDict_GetItemWithError(_NAMES, name)
        if known == NULL:
            text = PyUnicode_DecodeLatin1(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name), NULL)
        else:
            text = <object>known
        value_text = PyUnicode_DecodeLatin1(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), NULL)
        PyDict_SetItem(headers, text, value_text)
        count += 1
    return headers if len(headers) == count else None


def is_plain_key(str header not None) -> bool:
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
