"""Forms to structs, if every field is plainly valid. The contract is in form_params.pyi.

A form is read once, from left to right, into frames: one for the struct itself and one for each struct in
it. Anything that is not plainly valid ends the decoding, and nothing is made.
"""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.string cimport memchr, memcmp, memset

from fastpay._native.form_bytes cimport FORM_MARKS, Piece, decode, read_integer, unescape

import sys

from fastpay import limits


cdef extern from "Python.h":
    object PyObject_Vectorcall(object function, PyObject** arguments, size_t count, object names)
    void Py_XDECREF(PyObject* value)


cdef extern from *:
    int lowest "__builtin_ctzll" (unsigned long long numbers) noexcept nogil


cdef Py_ssize_t _FORM_FIELDS_MAX = limits.form_fields_max
cdef Py_ssize_t _FORM_DEPTH_MAX = limits.form_depth_max
cdef Py_ssize_t _KEYS_MAX = limits.metadata_keys_max
cdef Py_ssize_t _KEY_CHARS_MAX = limits.metadata_key_chars_max
cdef Py_ssize_t _VALUE_CHARS_MAX = limits.metadata_value_chars_max

# A struct that will be made from its frame.
cdef object _PENDING = object()


@cython.final
cdef class FormDecoder:
    def __cinit__(self, object params_type not None):
        self.params_type = params_type
        self.count = 0
        memset(self.slots, 0, SLOTS)
        self.required = 0
        self.names = []
        self.kept = []
        self.last_given = 0
        self.last_names = ()

    def add(
        self, str name not None, *, bint required, bint empty=False, bint boolean=False, tuple integer=None,
        tuple choices=None, tuple text=None, tuple texts=None, bint metadata=False, FormDecoder inner=None
    ):
        cdef Field* field = &self.fields[self.count]
        cdef unsigned int slot
        cdef bytes spelled = name.encode()
        if self.count == FIELDS_MAX:
            raise TypeError(f"a params type has at most {FIELDS_MAX} fields")
        memset(field, 0, sizeof(Field))
        field.name, field.name_size = spelled, len(spelled)
        field.kinds = EMPTY * empty | BOOLEAN * boolean | METADATA * metadata
        if integer is not None:
            field.kinds |= INTEGER
            field.low, field.high = integer
        if choices is not None:
            field.kinds |= CHOICE
            field.choices = self.keep({choice: choice for choice in choices})
        if text is not None:
            # For a list, the bounds are those of each text.
            field.kinds |= TEXT if texts is None else TEXTS
            field.chars_min, field.chars_max, search = text
            field.search = NULL if search is None else self.keep(search)
        if texts is not None:
            field.count_min, field.count_max, field.is_tuple = texts
        if inner is not None:
            field.kinds |= STRUCT
            field.inner = self.keep(inner)
        slot = _slot(spelled, len(spelled))
        while self.slots[slot] != 0:
            slot = (slot + 1) % SLOTS
        self.required |= <unsigned long long>required << self.count
        self.count += 1
        self.slots[slot] = <unsigned char>self.count
        self.keep(spelled)
        # A constructor compares the names of its arguments by identity.
        self.names.append(sys.intern(name))

    def decode(self, bytes body not None):
        cdef Reading reading
        cdef int index
        cdef unsigned long long left
        cdef Py_ssize_t size = len(body)
        if size > BODY_BYTES_MAX:
            return None
        reading.count = 0
        _open(&reading, self, -1, -1)
        try:
            if not _read(&reading, body, size):
                return None
            return _make(&reading)
        finally:
            for index in range(reading.count):
                left = reading.frames[index].given
                while left:
                    Py_XDECREF(reading.frames[index].values[lowest(left)])
                    left &= left - 1

    cdef PyObject* keep(self, object what) except NULL:
        self.kept.append(what)
        return <PyObject*>what

    cdef int find(self, const unsigned char* name, Py_ssize_t size) noexcept:
        """Return the index of a field, or -1 for an unknown name."""
        cdef unsigned int slot
        cdef int position
        if size == 0:
            return -1
        slot = _slot(name, size)
        while self.slots[slot] != 0:
            position = self.slots[slot] - 1
            if (
                self.fields[position].name_size == size
                and memcmp(self.fields[position].name, name, size) == 0
            ):
                return position
            slot = (slot + 1) % SLOTS
        return -1


cdef inline unsigned int _slot(const unsigned char* name, Py_ssize_t size) noexcept:
    return (name[0] * 31 + name[size >> 1] * 7 + name[size - 1] * 3 + <unsigned int>size) % SLOTS


cdef void _open(Reading* reading, FormDecoder decoder, int around, int position) noexcept:
    """Add an empty frame for a struct."""
    cdef Frame* frame = &reading.frames[reading.count]
    frame.decoder = <PyObject*>decoder
    frame.around = around
    frame.position = position
    frame.numbered = frame.unnumbered = frame.given = 0
    memset(frame.values, 0, decoder.count * sizeof(PyObject*))
    reading.count += 1


# The functions below return whether everything was plainly valid.

@cython.boundscheck(False)
@cython.wraparound(False)
cdef bint _read(Reading* reading, const unsigned char* text, Py_ssize_t size) except -1:
    """Split a form into fields and store the value of each."""
    cdef unsigned char[BODY_BYTES_MAX] scratch
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t start
    cdef Py_ssize_t count = 0
    cdef int marks, name_marks
    cdef unsigned char byte
    cdef Piece name, value
    while at < size:
        start = at
        name_marks = 0
        byte = 0
        while at < size:
            byte = text[at]
            if byte == c"=" or byte == c"&":
                break
            name_marks |= FORM_MARKS[byte]
            at += 1
        name.text, name.size = text + start, at - start
        at += 1
        if at > size or byte == c"&":
            if name.size == 0:
                continue
            return False
        start = at
        marks = 0
        while at < size:
            byte = text[at]
            if byte == c"&":
                break
            marks |= FORM_MARKS[byte]
            at += 1
        value.text, value.size = text + start, at - start
        at += 1
        count += 1
        if count > _FORM_FIELDS_MAX:
            return False
        # Unescaping never makes a text longer: name and value together fit a buffer of the body's size.
        if not (unescape(&name, name_marks, scratch) and unescape(&value, marks, scratch + name.size)):
            return False
        if not _take(reading, &name, &value):
            return False
    return True


cdef bint _take(Reading* reading, const Piece* name, const Piece* value) except -1:
    """Follow the brackets of a name, and store the value."""
    cdef const unsigned char* at = name.text
    cdef const unsigned char* end = name.text + name.size
    cdef const unsigned char* closing = <const unsigned char*>memchr(at, c"[", end - at)
    cdef Piece part
    cdef Field* field
    cdef int frame = 0
    cdef int position
    cdef Py_ssize_t depth = 1
    part.text, part.size, part.is_wide = at, (end if closing == NULL else closing) - at, name.is_wide
    at = end if closing == NULL else closing
    while True:
        position = (<FormDecoder>reading.frames[frame].decoder).find(part.text, part.size)
        if position < 0:
            return False
        field = &(<FormDecoder>reading.frames[frame].decoder).fields[position]
        reading.frames[frame].given |= 1ULL << position
        if at == end:
            return _put_plain(&reading.frames[frame].values[position], field, value)
        closing = <const unsigned char*>memchr(at, c"]", end - at)
        depth += 1
        if at[0] != c"[" or closing == NULL or depth > _FORM_DEPTH_MAX:
            return False
        part.text, part.size = at + 1, closing - at - 1
        at = closing + 1
        if memchr(part.text, c"[", part.size) != NULL:
            return False
        if field.kinds & STRUCT and part.size > 0:
            frame = _enter(reading, frame, position, field)
            if frame < 0:
                return False
        elif at != end:
            return False
        elif field.kinds & METADATA:
            return _put_metadata(&reading.frames[frame].values[position], &part, value)
        else:
            return _put_element(&reading.frames[frame], position, field, &part, value)


cdef int _enter(Reading* reading, int around, int position, const Field* field) except -2:
    """Return the frame of the struct in this field, or -1 if there is another value or no room."""
    cdef PyObject* present = reading.frames[around].values[position]
    cdef int index
    if present == NULL:
        if reading.count == FRAMES_MAX:
            return -1
        _store(&reading.frames[around].values[position], _PENDING)
        _open(reading, <FormDecoder>field.inner, around, position)
        return reading.count - 1
    if present == <PyObject*>_PENDING:
        for index in range(1, reading.count):
            if reading.frames[index].around == around and reading.frames[index].position == position:
                return index
    return -1


cdef inline void _store(PyObject** into, object value) noexcept:
    Py_INCREF(value)
    into[0] = <PyObject*>value


cdef bint _put_plain(PyObject** into, const Field* field, const Piece* value) except -1:
    cdef object text
    cdef PyObject* choice
    cdef long long number = 0
    if into[0] != NULL:
        return False
    if value.size == 0:
        if field.kinds & EMPTY:
            _store(into, None)
            return True
        return False
    if field.kinds & BOOLEAN:
        if value.size == 4 and memcmp(value.text, b"true", 4) == 0:
            _store(into, True)
            return True
        if value.size == 5 and memcmp(value.text, b"false", 5) == 0:
            _store(into, False)
            return True
    if field.kinds & INTEGER:
        if not read_integer(value, &number) or number < field.low or number > field.high:
            return False
        _store(into, number)
        return True
    if not field.kinds & (TEXT | CHOICE):
        return False
    text = decode(value)
    if text is None:
        return False
    if field.kinds & TEXT:
        if not _fits(text, field):
            return False
        _store(into, text)
        return True
    choice = PyDict_GetItemWithError(<dict>field.choices, text)
    if choice == NULL:
        return False
    _store(into, <object>choice)
    return True


cdef bint _put_metadata(PyObject** into, const Piece* name, const Piece* value) except -1:
    cdef object key = decode(name)
    cdef object text = decode(value)
    cdef dict metadata
    cdef Py_ssize_t count
    if into[0] == NULL:
        _store(into, {})
    elif type(<object>into[0]) is not dict:
        return False
    if key is None or text is None or name.size == 0:
        return False
    metadata = <dict>into[0]
    count = len(metadata)
    metadata[key] = text
    return (
        len(metadata) > count and len(metadata) <= _KEYS_MAX
        and len(<str>key) <= _KEY_CHARS_MAX and len(<str>text) <= _VALUE_CHARS_MAX
    )


cdef bint _put_element(
    Frame* frame, int position, const Field* field, const Piece* number, const Piece* value
) except -1:
    cdef unsigned long long this = 1ULL << position
    cdef object text
    cdef long long index = 0
    cdef list texts
    if not field.kinds & TEXTS or value.size == 0:
        return False
    if frame.values[position] == NULL:
        _store(&frame.values[position], [])
    elif type(<object>frame.values[position]) is not list:
        return False
    texts = <list>frame.values[position]
    if number.size == 0:
        frame.unnumbered |= this
    else:
        frame.numbered |= this
        # A number must have its shortest spelling, and the numbers must be in order.
        if not read_integer(number, &index) or index != len(texts):
            return False
        if number.size > 1 and not c"1" <= number.text[0] <= c"9":
            return False
    text = decode(value)
    if frame.numbered & frame.unnumbered & this or text is None or not _fits(text, field):
        return False
    texts.append(text)
    return True


cdef bint _fits(str text, const Field* field) except -1:
    if not field.chars_min <= len(text) <= field.chars_max:
        return False
    return field.search == NULL or (<object>field.search)(text) is not None


cdef object _make(Reading* reading):
    """Make the structs, inner ones first; return None if a required field is missing."""
    cdef int index
    cdef object made = None
    cdef PyObject** into
    for index in range(reading.count - 1, -1, -1):
        made = _make_one(&reading.frames[index])
        if made is None:
            return None
        if index > 0:
            into = &reading.frames[reading.frames[index].around].values[reading.frames[index].position]
            Py_XDECREF(into[0])
            _store(into, made)
    return made


cdef object _make_one(Frame* frame):
    cdef FormDecoder decoder = <FormDecoder>frame.decoder
    cdef PyObject* arguments[FIELDS_MAX]
    cdef unsigned long long given = frame.given
    cdef unsigned long long left = given
    cdef Py_ssize_t count = 0
    cdef int position
    if decoder.required & ~given:
        return None
    while left:
        position = lowest(left)
        left &= left - 1
        if decoder.fields[position].kinds & TEXTS:
            if not _close(&frame.values[position], &decoder.fields[position]):
                return None
        arguments[count] = frame.values[position]
        count += 1
    if given != decoder.last_given:
        decoder.last_names = tuple(
            [name for position, name in enumerate(decoder.names) if given >> position & 1]
        )
        decoder.last_given = given
    return PyObject_Vectorcall(decoder.params_type, arguments, 0, decoder.last_names)


cdef bint _close(PyObject** into, const Field* field) except -1:
    """Convert a list to the type of its field."""
    cdef object texts = <object>into[0]
    if type(texts) is not list:
        return True
    if not field.count_min <= len(<list>texts) <= field.count_max:
        return False
    if field.is_tuple:
        Py_XDECREF(into[0])
        _store(into, tuple(<list>texts))
    return True
