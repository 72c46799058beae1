from cpython.object cimport PyObject


cdef enum:
    # Larger forms are left to the careful reader.
    BODY_BYTES_MAX = 4096
    FIELDS_MAX = 64
    FRAMES_MAX = 6
    SLOTS = 128


# What a field may hold, as a set.
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
    # Bounds of a number; of a text, or each text of a list; of a list.
    long long low
    long long high
    Py_ssize_t chars_min
    Py_ssize_t chars_max
    Py_ssize_t count_min
    Py_ssize_t count_max
    bint is_tuple
    # Borrowed from what the decoder keeps, NULL where there is none.
    PyObject* search
    PyObject* choices
    PyObject* inner


cdef struct Frame:
    PyObject* decoder
    # The place of the struct in the frame around it; the first frame has none.
    int around
    int place
    # Which lists came with numbers, and which without, as sets of places.
    unsigned long long numbered
    unsigned long long unnumbered
    # Owned, NULL for what was not given.
    PyObject* values[FIELDS_MAX]


cdef struct Reading:
    int count
    Frame frames[FRAMES_MAX]


cdef class FormDecoder:
    cdef object params_type
    cdef int count
    cdef Field fields[FIELDS_MAX]
    # Where a name is looked for first: its place and one, or 0.
    cdef unsigned char slots[SLOTS]
    cdef unsigned long long required
    cdef list names
    cdef list kept
    # The names that were given the last time: most forms of a type give the same.
    cdef unsigned long long last_given
    cdef tuple last_names

    cdef PyObject* keep(self, object what) except NULL
    cdef int find(self, const unsigned char* name, Py_ssize_t size) noexcept
