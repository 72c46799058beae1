# cython: cdivision=True
"""The fields of a response. The contract is in response_head.pyi."""

from cpython.bytes cimport PyBytes_FromStringAndSize, PyBytes_GET_SIZE

cdef enum:
    DIGITS_MAX = 24


def fields_of(
    bytes content_type, bytes body, str request_id not None, tuple common not None, tuple more not None,
    list echoes not None,
) -> list:
    cdef list fields = []
    if content_type is not None:
        fields.append((b"content-type", content_type))
    if body is not None:
        fields.append((b"content-length", _digits(PyBytes_GET_SIZE(body))))
    fields.append((b"request-id", request_id.encode("ascii")))
    fields.append(common)
    if more:
        fields.extend(more)
    if echoes:
        fields.extend(echoes)
    return fields


cdef bytes _digits(Py_ssize_t number):
    cdef char[DIGITS_MAX] digits
    cdef int at = DIGITS_MAX
    while True:
        at -= 1
        digits[at] = c"0" + number % 10
        number //= 10
        if number == 0:
            return PyBytes_FromStringAndSize(&digits[at], DIGITS_MAX - at)
