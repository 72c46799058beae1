from cpython.object cimport PyObject


cdef enum:
    # Larger forms are left to the general parser.
    BODY_BYTES_MAX = 4096
    FIELDS_MAX = 64
    FRAMES_MAX = 6
    SLOTS = 128


# The kinds of value that a field may hold, as a set of flags.
cdef enum Kind:
    EMPTY = 1
    BOOLEAN = 2
    INTEGER = 4
    CHOICE = 8
    TEXT = 16
    TEXTS = 32
    METADATA = 64
    STRUCT = 128


cdef struct Field:
    const char* name
    Py_ssize_t name_size
    int kinds
    # Bounds of a number; of the characters of a text, or of each text of a list; of the length of a list.
    long long low
    long long high
    Py_ssize_t chars_min
    Py_ssize_t chars_max
    Py_ssize_t count_min
    Py_ssize_t count_max
    bint is_tuple
    # Borrowed from the decoder's own list, or NULL.
    PyObject* search
    PyObject* choices
    PyObject* inner


cdef struct Frame:
    PyObject* decoder
    # The index of the enclosing frame, and of this struct's field in it; the first frame has none.
    int around
    int position
    # Which lists came with numbered elements, and which without, as sets of field indexes.
    unsigned long long numbered
    unsigned long long unnumbered
    # Which fields may have a value, as a set of field indexes: a form gives few of many.
    unsigned long long given
    # Owned; NULL for fields that were not given.
    PyObject* values[FIELDS_MAX]


cdef struct Reading:
    int count
    Frame frames[FRAMES_MAX]


cdef class FormDecoder:
    cdef object params_type
    cdef int count
    cdef Field fields[FIELDS_MAX]
    # The first slot to look for a name in: its field index plus one, or 0.
    cdef unsigned char slots[SLOTS]
    cdef unsigned long long required
    cdef list names
    cdef list kept
    # The names that the previous form gave: most forms of a type give the same ones.
    cdef unsigned long long last_given
    cdef tuple last_names

    cdef PyObject* keep(self, object what) except NULL
    cdef int find(self, const unsigned char* name, Py_ssize_t size) noexcept
