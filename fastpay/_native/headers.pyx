"""The headers of a request as text. The contract is in headers.pyi."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeLatin1


def decode(pairs) -> dict:
    cdef dict headers = {}
    cdef bytes name, value
    cdef Py_ssize_t count = 0
    for name, value in pairs:
        if name is None or value is None:
            raise TypeError("the names and values of headers must be bytes")
        headers[PyUnicode_DecodeLatin1(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name), NULL)] = (
            PyUnicode_DecodeLatin1(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), NULL)
        )
        count += 1
    return headers if len(headers) == count else None
