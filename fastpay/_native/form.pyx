# cython: autotestdict=False
"""Forms with nested names. The contract is in form.pyi."""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError, PyDict_Next, PyDict_SetItem
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcpy

from fastpay import limits


cdef extern from "Python.h":
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)
    void* PyUnicode_DATA(object text)


# Forms of usual size are unescaped on the stack, which spares them an allocation.
cdef enum:
    _STACK_BYTES = 2048

# What a stretch of bytes contains that keeps it from being taken as plain ASCII, as it stands.
cdef int _ESCAPED = 1
cdef int _WIDE = 2
cdef int _BRACKETED = 4
cdef int _NUL = 8

# The meaning of each byte, as a set of the marks above; filled once, when the module is imported.
cdef unsigned char[256] _MARKS
# The value of each hexadecimal digit, 255 for every other byte.
cdef unsigned char[256] _DIGITS

cdef enum _Kind:
    _TEXT
    _BOOLEAN
    _INTEGER
    _CHOICE
    _METADATA

cdef Py_ssize_t _FIELDS_MAX = limits.form_fields_max
cdef Py_ssize_t _DEPTH_MAX = limits.form_depth_max
# As many digits as always fit a signed 64-bit number; longer ones are left to the careful reader.
cdef Py_ssize_t _DIGITS_MAX = 18
cdef Py_ssize_t _KEYS_MAX = limits.metadata_keys_max
cdef Py_ssize_t _KEY_CHARS_MAX = limits.metadata_key_chars_max
cdef Py_ssize_t _VALUE_CHARS_MAX = limits.metadata_value_chars_max


class FormError(ValueError):
    def __init__(self, message, param=None):
        super().__init__(message)
        self.message = message
        self.param = param


cdef int _fill_tables() except -1:
    cdef int code
    for code in range(256):
        _MARKS[code] = _WIDE if code >= 0x80 else 0
        _DIGITS[code] = 255
    _MARKS[0] = _NUL
    _MARKS[c"%"] = _ESCAPED
    _MARKS[c"+"] = _ESCAPED
    _MARKS[c"["] = _BRACKETED
    _MARKS[c"]"] = _BRACKETED
    for code in range(10):
        _DIGITS[c"0" + code] = <unsigned char>code
    for code in range(6):
        _DIGITS[c"a" + code] = <unsigned char>(10 + code)
        _DIGITS[c"A" + code] = <unsigned char>(10 + code)
    return 0


_fill_tables()


def parse(bytes body not None) -> dict:
    cdef const unsigned char* text = body
    cdef Py_ssize_t size = len(body)
    # Escapes only ever shrink, so that one buffer of the body's size serves every field in turn.
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
            name_marks |= _MARKS[byte]
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
            value_marks |= _MARKS[byte]
            at += 1
        fields += 1
        if fields > _FIELDS_MAX:
            raise FormError(f"Too many fields: at most {_FIELDS_MAX} are allowed.")
        name = _text(text + name_start, name_size, name_marks, scratch, None)
        value = _text(text + value_start, at - value_start, value_marks, scratch, name)
        at += 1
        if name_marks & (_ESCAPED | _BRACKETED):
            _place(top, name, value)
            continue
        if name_size == 0:
            raise FormError("A field has no name before its '='.")
        count = len(top)
        # One look-up both finds out whether the name is new and stores it.
        top.setdefault(name, value)
        if len(top) == count:
            _refuse_taken(top[name], name)
    return top


@cython.boundscheck(False)
@cython.wraparound(False)
cdef str _text(
    const unsigned char* text, Py_ssize_t size, int marks, unsigned char* scratch, str param
):
    """Decode one name or value. `param` is the name that an error about a value is to carry."""
    cdef object plain
    cdef Py_ssize_t read = 0
    cdef Py_ssize_t written = 0
    cdef unsigned char byte, high, low
    if not marks & (_ESCAPED | _WIDE | _NUL):
        plain = PyUnicode_New(size, 127)
        memcpy(PyUnicode_DATA(plain), text, size)
        return <str>plain
    while read < size:
        byte = text[read]
        read += 1
        if byte == c"+":
            byte = c" "
        elif byte == c"%":
            high = _DIGITS[text[read]] if read + 1 < size else 255
            low = _DIGITS[text[read + 1]] if read + 1 < size else 255
            if high == 255 or low == 255:
                raise FormError("A '%' is not followed by two hexadecimal digits.", param)
            byte = high << 4 | low
            read += 2
        if byte == 0:
            raise FormError("NUL characters are not allowed.", param)
        scratch[written] = byte
        written += 1
    try:
        return <str>PyUnicode_DecodeUTF8(<char*>scratch, written, NULL)
    except UnicodeDecodeError:
        raise FormError("The text is not valid UTF-8.", param) from None


cdef int _place(dict top, str name, str value) except -1:
    """Walk the brackets of `name` from `top` down, making what is missing, and put `value` there."""
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
    return FormError("The brackets of a name do not match. Write it as in 'card[number]'.", name)


cdef int _refuse_taken(object present, str name) except -1:
    if isinstance(present, str):
        kind = "a single value"
    elif isinstance(present, list):
        kind = "a list"
    else:
        kind = "an object"
    raise FormError(f"A name is given more than once: here, and before as {kind}.", name)


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
