# cython: autotestdict=False
"""The plain fields of a form, converted in place. The contract is in scalars.pyi."""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError, PyDict_Next, PyDict_SetItem
from cpython.object cimport PyObject

from fastpay import limits


cdef enum _Kind:
    _TEXT
    _BOOLEAN
    _INTEGER
    _CHOICE
    _METADATA

# As many digits as always fit a signed 64-bit number; longer ones are left to the careful reader.
cdef Py_ssize_t _DIGITS_MAX = 18
cdef Py_ssize_t _KEYS_MAX = limits.metadata_keys_max
cdef Py_ssize_t _KEY_CHARS_MAX = limits.metadata_key_chars_max
cdef Py_ssize_t _VALUE_CHARS_MAX = limits.metadata_value_chars_max


@cython.final
cdef class Scalar:
    cdef _Kind kind
    cdef long long low
    cdef long long high
    cdef frozenset choices

    @staticmethod
    def text():
        return _make(_TEXT)

    @staticmethod
    def boolean():
        return _make(_BOOLEAN)

    @staticmethod
    def integer(long long low, long long high):
        cdef Scalar scalar = _make(_INTEGER)
        scalar.low = low
        scalar.high = high
        return scalar

    @staticmethod
    def choice(frozenset choices not None):
        cdef Scalar scalar = _make(_CHOICE)
        scalar.choices = choices
        return scalar

    @staticmethod
    def metadata():
        return _make(_METADATA)


cdef Scalar _make(_Kind kind):
    cdef Scalar scalar = Scalar.__new__(Scalar)
    scalar.kind = kind
    return scalar


def settle(dict tree not None, dict scalars not None) -> list:
    cdef list rest = []
    cdef Py_ssize_t position = 0
    cdef PyObject* name
    cdef PyObject* value
    cdef PyObject* scalar
    # Values are replaced while the dict is walked, which it allows as long as no key comes or goes.
    while PyDict_Next(tree, &position, &name, &value):
        scalar = PyDict_GetItemWithError(scalars, <object>name)
        if scalar == NULL or not _settle(tree, <object>name, <object>value, <Scalar>scalar):
            rest.append(<object>name)
    return rest


cdef bint _settle(dict tree, object name, object value, Scalar scalar) except -1:
    """Put in place what `value` plainly means to `scalar`, or return false."""
    cdef str text
    cdef long long number = 0
    if scalar.kind == _METADATA:
        return type(value) is dict and _is_metadata(<dict>value)
    if type(value) is not str:
        return False
    text = <str>value
    if scalar.kind == _TEXT:
        return len(text) > 0
    if scalar.kind == _CHOICE:
        return text in scalar.choices
    if scalar.kind == _BOOLEAN:
        if text == "true":
            PyDict_SetItem(tree, name, True)
        elif text == "false":
            PyDict_SetItem(tree, name, False)
        else:
            return False
        return True
    if not _read_integer(text, &number) or number < scalar.low or number > scalar.high:
        return False
    PyDict_SetItem(tree, name, number)
    return True


@cython.boundscheck(False)
@cython.wraparound(False)
cdef bint _read_integer(str text, long long* number) except -1:
    cdef Py_ssize_t size = len(text)
    cdef Py_ssize_t at = 0
    cdef long long total = 0
    cdef Py_UCS4 character
    cdef bint negative = size > 1 and text[0] == u"-"
    if negative:
        at = 1
    if size == 0 or size - at > _DIGITS_MAX:
        return False
    while at < size:
        character = text[at]
        if not u"0" <= character <= u"9":
            return False
        total = total * 10 + (<int>character - <int>c"0")
        at += 1
    number[0] = -total if negative else total
    return True


cdef bint _is_metadata(dict metadata) except -1:
    """Say whether all is text and within the limits. No key of a form has brackets or is empty."""
    cdef Py_ssize_t position = 0
    cdef PyObject* key
    cdef PyObject* value
    if len(metadata) > _KEYS_MAX:
        return False
    while PyDict_Next(metadata, &position, &key, &value):
        if type(<object>value) is not str:
            return False
        if len(<str>key) > _KEY_CHARS_MAX or len(<str>value) > _VALUE_CHARS_MAX:
            return False
    return True
