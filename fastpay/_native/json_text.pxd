# Writes JSON into a buffer, with the same text as `msgspec.json.encode`.
#
# Everything is inline, because a call costs as much as most writes. The buffer begins on the caller's
# stack. The owner of an `Out` frees its `heap` at the end, NULL or not.

from cpython.dict cimport PyDict_Next
from cpython.mem cimport PyMem_Realloc
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t
from libc.string cimport memcpy


cdef extern from "Python.h":
    bint PyUnicode_CheckExact(PyObject* value)
    bint PyUnicode_IS_COMPACT_ASCII(PyObject* text)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject* text)
    void* PyUnicode_DATA(PyObject* text)
    const char* PyUnicode_AsUTF8AndSize(PyObject* text, Py_ssize_t* size) except NULL
    bint PyLong_CheckExact(PyObject* value)
    long long PyLong_AsLongLong(PyObject* value) except? -1
    bint PyDict_CheckExact(PyObject* value)
    bint PyTuple_CheckExact(PyObject* value)
    Py_ssize_t PyTuple_GET_SIZE(PyObject* items)
    PyObject* PyTuple_GET_ITEM(PyObject* items, Py_ssize_t position)
    PyObject* NONE "Py_None"
    PyObject* TRUE "Py_True"
    PyObject* FALSE "Py_False"


cdef struct Out:
    char* data
    Py_ssize_t size
    Py_ssize_t room
    # The memory of `data` after it has outgrown the stack.
    char* heap


cdef inline int grow(Out* out, Py_ssize_t more) except -1:
    cdef Py_ssize_t room = 2 * (out.size + more)
    cdef char* heap = <char*>PyMem_Realloc(out.heap, room)
    if heap == NULL:
        raise MemoryError
    if out.heap == NULL:
        memcpy(heap, out.data, out.size)
    out.data = out.heap = heap
    out.room = room
    return 0


cdef inline int reserve(Out* out, Py_ssize_t more) except -1:
    return 0 if out.size + more <= out.room else grow(out, more)


cdef inline int put(Out* out, const char* text, Py_ssize_t size) except -1:
    """Append bytes unchanged."""
    reserve(out, size)
    memcpy(out.data + out.size, text, size)
    out.size += size
    return 0


cdef inline int put_value(Out* out, PyObject* value) except -1:
    """Append a field's value: null, a boolean, a number, a text, a map of texts or a tuple of them."""
    if PyUnicode_CheckExact(value):
        return put_text(out, value)
    if value == NONE:
        return put(out, b"null", 4)
    if PyLong_CheckExact(value):
        return put_integer(out, PyLong_AsLongLong(value))
    if value == TRUE or value == FALSE:
        return put_boolean(out, value == TRUE)
    if PyDict_CheckExact(value):
        return put_map(out, value)
    if PyTuple_CheckExact(value):
        return put_texts(out, value)
    raise TypeError(f"a field cannot hold a {type(<object>value).__name__}")


cdef inline int put_boolean(Out* out, bint value) except -1:
    return put(out, b"true", 4) if value else put(out, b"false", 5)


cdef inline int put_map(Out* out, PyObject* texts) except -1:
    """Append a map of texts, in its own order."""
    cdef Py_ssize_t position = 0
    cdef PyObject* name
    cdef PyObject* text
    cdef Py_ssize_t start = out.size
    while PyDict_Next(<object>texts, &position, &name, &text):
        put(out, b"{" if out.size == start else b",", 1)
        put_text(out, name)
        put(out, b":", 1)
        put_text(out, text)
    return put(out, b"{}", 2) if out.size == start else put(out, b"}", 1)


cdef inline int put_texts(Out* out, PyObject* texts) except -1:
    cdef Py_ssize_t position
    put(out, b"[", 1)
    for position in range(PyTuple_GET_SIZE(texts)):
        if position > 0:
            put(out, b",", 1)
        put_text(out, PyTuple_GET_ITEM(texts, position))
    return put(out, b"]", 1)


cdef inline int put_integer(Out* out, long long number) except -1:
    cdef char[20] digits
    cdef Py_ssize_t at = 20
    # Unsigned, because the lowest number has no positive counterpart.
    cdef unsigned long long rest = <unsigned long long>number
    cdef unsigned long long tenth
    if number < 0:
        rest = 0 - rest
    while True:
        tenth = rest // 10
        at -= 1
        digits[at] = <char>(c"0" + <int>(rest - 10 * tenth))
        rest = tenth
        if rest == 0:
            break
    if number < 0:
        at -= 1
        digits[at] = c"-"
    return put(out, digits + at, 20 - at)


cdef inline int put_text(Out* out, PyObject* text) except -1:
    cdef const char* source
    cdef Py_ssize_t size
    cdef Py_ssize_t plain
    if not PyUnicode_CheckExact(text):
        raise TypeError(f"a text cannot be a {type(<object>text).__name__}")
    if PyUnicode_IS_COMPACT_ASCII(text):
        source = <const char*>PyUnicode_DATA(text)
        size = PyUnicode_GET_LENGTH(text)
    else:
        source = PyUnicode_AsUTF8AndSize(text, &size)
    reserve(out, size + 2)
    out.data[out.size] = c'"'
    out.size += 1
    plain = copy_plain(out.data + out.size, source, size)
    out.size += plain
    if plain < size:
        put_escaped(out, source + plain, size - plain)
    return put(out, b'"', 1)


cdef inline Py_ssize_t copy_plain(char* target, const char* source, Py_ssize_t size) noexcept nogil:
    """Copy the leading bytes that need no escape, eight at a time; return their number."""
    cdef Py_ssize_t at = 0
    cdef uint64_t word
    while at + 8 <= size:
        memcpy(&word, source + at, 8)
        if holds_escape(word):
            break
        memcpy(target + at, &word, 8)
        at += 8
    while at < size and escape_of(<unsigned char>source[at]) == 0:
        target[at] = source[at]
        at += 1
    return at


cdef inline bint holds_escape(uint64_t word) noexcept nogil:
    """Return whether one of eight bytes is a quote, a backslash or below a space.

    Some byte of x is zero if (x - 0x01..) & ~x has a highest bit set, and some is below 0x20 if (x -
    0x20..) & ~x has one.
    """
    cdef uint64_t ones = 0x0101010101010101
    cdef uint64_t quote = word ^ (ones * 0x22)
    cdef uint64_t backslash = word ^ (ones * 0x5C)
    cdef uint64_t found = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)
    found |= (word - ones * 0x20) & ~word
    return (found & (ones * 0x80)) != 0


cdef inline unsigned char escape_of(unsigned char byte) noexcept nogil:
    """Return 0 for a byte without an escape, "u" for one that is written by number, else the letter of its
    escape.
    """
    if byte >= 0x20:
        return byte if byte == c'"' or byte == c"\\" else 0
    if byte == c"\n":
        return c"n"
    if byte == c"\r":
        return c"r"
    if byte == c"\t":
        return c"t"
    if byte == c"\b":
        return c"b"
    return c"f" if byte == c"\f" else c"u"


cdef inline int put_escaped(Out* out, const char* source, Py_ssize_t size) except -1:
    cdef const char* hexadecimal = b"0123456789abcdef"
    cdef Py_ssize_t position
    cdef unsigned char byte
    cdef unsigned char escape
    # The longest escape has six bytes.
    reserve(out, size * 6)
    for position in range(size):
        byte = <unsigned char>source[position]
        escape = escape_of(byte)
        if escape == 0:
            out.data[out.size] = <char>byte
            out.size += 1
            continue
        out.data[out.size] = c"\\"
        out.data[out.size + 1] = <char>escape
        out.size += 2
        if escape == c"u":
            out.data[out.size] = out.data[out.size + 1] = c"0"
            out.data[out.size + 2] = hexadecimal[byte >> 4]
            out.data[out.size + 3] = hexadecimal[byte & 15]
            out.size += 4
    return 0
