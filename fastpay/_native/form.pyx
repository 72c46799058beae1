# cython: autotestdict=False
"""Forms with nested names. The contract is in form.pyi."""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcmp, memcpy

from fastpay._native.form_bytes cimport (
    BRACKETED,
    ESCAPED,
    FORM_DIGITS,
    FORM_MARKS,
    NUL,
    WIDE,
    PyUnicode_DATA,
    PyUnicode_New,
)

from fastpay import limits


# Forms of ordinary size are unescaped on the stack, without an allocation.
cdef enum:
    _STACK_BYTES = 2048
    _NAME_SLOTS = 256
    _NAME_CHARS_MAX = 40

cdef Py_ssize_t _FIELDS_MAX = limits.form_fields_max
cdef Py_ssize_t _DEPTH_MAX = limits.form_depth_max


# Names recur in every request: a string made before is found by its bytes, with its hash. A new name
# replaces the one in its slot, so that unknown names cost time but no memory.
cdef list _names = [""] * _NAME_SLOTS


class FormError(ValueError):
    def __init__(self, message, param=None, code=None):
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


def parse(bytes body not None) -> dict:
    cdef const unsigned char* text = body
    cdef Py_ssize_t size = len(body)
    # Unescaping never makes a text longer, so one buffer of the body's size serves every field in turn.
    cdef unsigned char[_STACK_BYTES] local
    cdef unsigned char* scratch
    if size <= _STACK_BYTES:
        return _parse(text, size, local)
    scratch = <unsigned char*>PyMem_Malloc(size)
    if scratch == NULL:
        raise MemoryError
    try:
        return _parse(text, size, scratch)
    finally:
        PyMem_Free(scratch)


@cython.boundscheck(False)
@cython.wraparound(False)
cdef dict _parse(const unsigned char* text, Py_ssize_t size, unsigned char* scratch):
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t name_start, name_size, value_start
    cdef Py_ssize_t fields = 0
    cdef Py_ssize_t count
    cdef int name_marks, value_marks
    cdef unsigned char byte
    cdef dict top = {}
    cdef str name
    cdef str value
    while at < size:
        name_start = at
        name_marks = 0
        byte = 0
        while at < size:
            byte = text[at]
            if byte == c"=" or byte == c"&":
                break
            name_marks |= FORM_MARKS[byte]
            at += 1
        name_size = at - name_start
        if at == size or byte == c"&":
            at += 1
            if name_size == 0:
                continue  # Nothing between two ampersands, or after the last: browsers skip it too.
            name = _text(text + name_start, name_size, name_marks, scratch, None)
            raise FormError("A field has no '='. Send 'name=value', or 'name=' to unset it.", name)
        at += 1
        value_start = at
        value_marks = 0
        while at < size:
            byte = text[at]
            if byte == c"&":
                break
            value_marks |= FORM_MARKS[byte]
            at += 1
        fields += 1
        if fields > _FIELDS_MAX:
            raise FormError(
                f"Too many fields: at most {_FIELDS_MAX} are allowed.", code="parameters_too_many"
            )
        if name_marks == 0 and 0 < name_size <= _NAME_CHARS_MAX:
            name = _known_name(text + name_start, name_size)
        else:
            name = _text(text + name_start, name_size, name_marks, scratch, None)
        value = _text(text + value_start, at - value_start, value_marks, scratch, name)
        at += 1
        if name_marks & (ESCAPED | BRACKETED):
            _insert(top, name, value)
            continue
        if name_size == 0:
            raise FormError("A field has no name before its '='.")
        count = len(top)
        # One look-up both checks whether the name is new and stores it.
        top.setdefault(name, value)
        if len(top) == count:
            _refuse_taken(top[name], name)
    return top


@cython.boundscheck(False)
@cython.wraparound(False)
cdef str _text(
    const unsigned char* text, Py_ssize_t size, int marks, unsigned char* scratch, str param
):
    """Decode one name or value. `param` is the name for an error about a value."""
    cdef object plain
    cdef Py_ssize_t read = 0
    cdef Py_ssize_t written = 0
    cdef unsigned char byte, high, low
    if not marks & (ESCAPED | WIDE | NUL):
        plain = PyUnicode_New(size, 127)
        memcpy(PyUnicode_DATA(plain), text, size)
        return <str>plain
    while read < size:
        byte = text[read]
        read += 1
        if byte == c"+":
            byte = c" "
        elif byte == c"%":
            high = FORM_DIGITS[text[read]] if read + 1 < size else 0
            low = FORM_DIGITS[text[read + 1]] if read + 1 < size else 0
            if high == 0 or low == 0:
                raise FormError("A '%' is not followed by two hexadecimal digits.", param)
            byte = (high - 1) << 4 | (low - 1)
            read += 2
        if byte == 0:
            raise FormError("NUL characters are not allowed.", param)
        scratch[written] = byte
        written += 1
    try:
        return <str>PyUnicode_DecodeUTF8(<char*>scratch, written, NULL)
    except UnicodeDecodeError:
        raise FormError("The text is not valid UTF-8.", param) from None


@cython.boundscheck(False)
@cython.wraparound(False)
cdef str _known_name(const unsigned char* text, Py_ssize_t size):
    """Return the string of a non-empty ASCII name, from the table or new."""
    cdef unsigned int mixed = text[0] * 31 + text[size >> 1] * 7 + text[size - 1] * 3 + <unsigned int>size
    cdef Py_ssize_t slot = mixed % _NAME_SLOTS
    cdef str name = <str>_names[slot]
    if len(name) == size and memcmp(PyUnicode_DATA(name), text, size) == 0:
        return name
    cdef object fresh = PyUnicode_New(size, 127)
    memcpy(PyUnicode_DATA(fresh), text, size)
    _names[slot] = fresh
    return <str>fresh


cdef int _insert(dict top, str name, str value) except -1:
    """Follow the brackets of `name` from `top`, create missing levels, and store `value`."""
    cdef Py_ssize_t size = len(name)
    cdef Py_ssize_t opening = name.find("[")
    cdef Py_ssize_t closing
    cdef Py_ssize_t depth = 1
    cdef Py_ssize_t count
    cdef dict parent = top
    cdef dict child
    cdef list elements
    cdef str key
    cdef str segment
    cdef PyObject* found
    if opening < 0:
        opening = size
    key = name[:opening]
    if not key or "]" in key:
        raise _malformed(name)
    while opening < size:
        if name[opening] != u"[":
            raise _malformed(name)
        closing = name.find("]", opening)
        if closing < 0:
            raise _malformed(name)
        segment = name[opening + 1:closing]
        if "[" in segment:
            raise _malformed(name)
        opening = closing + 1
        depth += 1
        if depth > _DEPTH_MAX:
            raise FormError(f"A name is nested too deeply: at most {_DEPTH_MAX} levels are allowed.", name)
        found = PyDict_GetItemWithError(parent, key)
        if not segment:
            if opening < size:
                raise FormError(
                    "'[]' may only end a name. Number the elements, as in 'items[0][price]'.", name
                )
            if found == NULL:
                parent[key] = [value]
                return 0
            if not isinstance(<object>found, list):
                _refuse_taken(<object>found, name)
            elements = <list>found
            elements.append(value)
            return 0
        if found == NULL:
            child = {}
            parent[key] = child
        elif isinstance(<object>found, dict):
            child = <dict>found
        else:
            _refuse_taken(<object>found, name)
        parent = child
        key = segment
    count = len(parent)
    parent.setdefault(key, value)
    if len(parent) == count:
        _refuse_taken(parent[key], name)
    return 0


cdef object _malformed(str name):
    return FormError("The brackets of a name do not match. Write it like 'card[number]'.", name)


cdef int _refuse_taken(object present, str name) except -1:
    if isinstance(present, str):
        kind = "a single value"
    elif isinstance(present, list):
        kind = "a list"
    else:
        kind = "an object"
    raise FormError(f"A name is given more than once: here, and before as {kind}.", name)
