"""Structs to JSON by a template: constant text is encoded once, fields are read from the struct's memory.

The contract is in rendering.pyi. A template is a list of steps, each a text and what follows it: a field's
value, or the output of another template for the same struct or a part of it. No Python code runs in
between, so that everything the struct refers to stays alive without reference counting.
"""

import typing

import msgspec

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItemWithError
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport Py_TYPE, PyObject, PyTypeObject
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize

from fastpay._native.json_text cimport (
    FALSE,
    NONE,
    Out,
    PyLong_AsLongLong,
    PyLong_CheckExact,
    PyUnicode_CheckExact,
    put,
    put_boolean,
    put_value,
)
from fastpay._native.structs cimport offset_of


cdef extern from "Python.h":
    PyObject* PyTuple_GET_ITEM(PyObject* texts, Py_ssize_t position)
    int PyUnicode_Compare(PyObject* first, PyObject* second) except? -1


# Outputs of ordinary size are built on the stack, and copied once.
cdef enum:
    _STACK_BYTES = 4096

cdef enum _Kind:
    _FIELD
    _MODE
    _PART
    _WHEN
    _CHOICE
    _SAME
    _SLOT
    _JSON


cdef struct _Path:
    # The field is at `offset` of the struct; if `owner` is set, of the part of this type at `part`.
    PyTypeObject* owner
    Py_ssize_t part
    Py_ssize_t offset


cdef struct _Step:
    _Kind kind
    const char* text
    Py_ssize_t text_size
    _Path path
    _Path other
    # The text that a condition compares with or looks for, or NULL for any value except None and false; or
    # the texts of a choice.
    PyObject* wanted
    # Templates.
    PyObject* then
    PyObject* otherwise


@cython.final
cdef class Template:
    cdef object struct_type
    cdef _Step* steps
    cdef Py_ssize_t count
    # The text after the last step.
    cdef bytes text
    # References to the objects that steps point to.
    cdef list kept

    def __cinit__(self, object struct_type not None):
        if not issubclass(struct_type, msgspec.Struct):
            raise TypeError("a template needs a type of struct")
        self.struct_type = struct_type
        self.steps = NULL
        self.count = 0
        self.text = b""
        self.kept = []

    def __dealloc__(self):
        PyMem_Free(self.steps)

    def put(self, bytes text not None):
        self.text += text

    def put_field(self, str path not None):
        self.add(_FIELD, path)

    def put_slot(self, str path not None):
        self.add(_SLOT, path)

    def put_json(self, str path not None):
        self.add(_JSON, path)

    def put_mode(self):
        self.add(_MODE, None)

    def put_part(self, str name not None, Template template not None):
        cdef _Step* step = self.add(_PART, name)
        step.then = self.keep(template)

    def put_when(
        self, str path not None, str wanted, Template then not None, Template otherwise not None
    ):
        cdef _Step* step = self.add(_WHEN, path)
        if wanted is not None:
            step.wanted = self.keep(wanted)
        step.then = self.keep(self.of_this(then))
        step.otherwise = self.keep(self.of_this(otherwise))

    def put_choice(self, str path not None, dict texts not None, Template otherwise not None):
        cdef _Step* step = self.add(_CHOICE, path)
        step.wanted = self.keep(_choice(texts))
        step.otherwise = self.keep(self.of_this(otherwise))

    def put_whether_same(self, str path not None, str other not None):
        cdef _Step* step = self.add(_SAME, path)
        self.locate(&step.other, other)

    def render(self, object stored not None, bint livemode, bytes whole=None) -> bytes:
        cdef char[_STACK_BYTES] local
        cdef Out out
        if Py_TYPE(stored) != <PyTypeObject*>self.struct_type:
            raise TypeError(f"{type(stored).__name__} is not what this template renders")
        out.data = local
        out.size = 0
        out.room = _STACK_BYTES
        out.heap = NULL
        try:
            _run(&out, self, <PyObject*>stored, livemode, NULL if whole is None else <PyObject*>whole)
            return PyBytes_FromStringAndSize(out.data, out.size)
        finally:
            PyMem_Free(out.heap)

    cdef _Step* add(self, _Kind kind, str path) except NULL:
        """Add a step, with the text that was appended before it."""
        cdef _Step step
        cdef _Step* steps
        step.kind = kind
        step.text = self.text
        step.text_size = len(self.text)
        step.path.owner = step.other.owner = NULL
        step.path.part = step.other.part = 0
        step.path.offset = step.other.offset = 0
        step.wanted = step.then = step.otherwise = NULL
        if path is not None:
            self.locate(&step.path, path)
        steps = <_Step*>PyMem_Realloc(self.steps, (self.count + 1) * sizeof(_Step))
        if steps == NULL:
            raise MemoryError
        self.steps = steps
        steps[self.count] = step
        self.count += 1
        self.keep(self.text)
        self.text = b""
        return &steps[self.count - 1]

    cdef PyObject* keep(self, object what) except NULL:
        self.kept.append(what)
        return <PyObject*>what

    cdef Template of_this(self, Template template):
        if template.struct_type is not self.struct_type:
            raise TypeError("a branch must be a template of the same struct")
        return template

    cdef int locate(self, _Path* path, str name) except -1:
        """Fill `path` with the location of a field. A dot leads to a part of the struct."""
        part, _, inner = name.rpartition(".")
        if not part:
            path.offset = offset_of(self.struct_type, name)
            return 0
        owner = _part_type(self.struct_type, part)
        path.owner = <PyTypeObject*>self.keep(owner)
        path.part = offset_of(self.struct_type, part)
        path.offset = offset_of(owner, inner)
        return 0


cdef dict _choice(dict texts):
    """Return a private copy that contains only bytes."""
    cdef bytes text
    return {name: text for name, text in texts.items()}


cdef object _part_type(object struct_type, str name):
    """Return the type of struct that a field may hold, or None."""
    for field in msgspec.structs.fields(struct_type):
        if field.name == name:
            for kind in (field.type, *typing.get_args(field.type)):
                if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                    return kind
    raise TypeError(f"{struct_type.__name__} has no part {name}")


cdef int _run(Out* out, Template template, PyObject* stored, bint livemode, PyObject* whole) except -1:
    cdef Py_ssize_t position
    cdef _Step* step
    cdef PyObject* value
    cdef PyObject* chosen
    for position in range(template.count):
        step = &template.steps[position]
        put(out, step.text, step.text_size)
        if step.kind == _MODE:
            put_boolean(out, livemode)
            continue
        value = _find(stored, &step.path)
        if step.kind == _FIELD:
            put_value(out, value)
        elif step.kind == _WHEN:
            chosen = step.then if _holds(value, step.wanted) else step.otherwise
            _run(out, <Template>chosen, stored, livemode, whole)
        elif step.kind == _PART:
            _run_part(out, <Template>step.then, value, livemode, whole)
        elif step.kind == _SLOT:
            if whole == NULL or value == NONE:
                put_value(out, value)
            else:
                put(out, PyBytes_AS_STRING(<object>whole), PyBytes_GET_SIZE(<object>whole))
        elif step.kind == _JSON:
            _put_json(out, value)
        elif step.kind == _CHOICE:
            chosen = PyDict_GetItemWithError(<dict>step.wanted, <object>value)
            if chosen == NULL:
                _run(out, <Template>step.otherwise, stored, livemode, whole)
            else:
                put(out, PyBytes_AS_STRING(<object>chosen), PyBytes_GET_SIZE(<object>chosen))
        else:
            put_boolean(out, _are_same(value, _find(stored, &step.other)))
    put(out, PyBytes_AS_STRING(template.text), PyBytes_GET_SIZE(template.text))
    return 0


cdef int _run_part(Out* out, Template template, PyObject* part, bint livemode, PyObject* whole) except -1:
    if part == NONE:
        return put(out, b"null", 4)
    if Py_TYPE(<object>part) != <PyTypeObject*>template.struct_type:
        raise TypeError(f"a part must be a {template.struct_type.__name__}")
    return _run(out, template, part, livemode, whole)


cdef int _put_json(Out* out, PyObject* value) except -1:
    """Append a text that is JSON already, or null for None."""
    cdef Py_ssize_t size
    cdef const char* text
    if value == NONE:
        return put(out, b"null", 4)
    if not PyUnicode_CheckExact(value):
        raise TypeError("only a text can be JSON")
    text = PyUnicode_AsUTF8AndSize(<object>value, &size)
    return put(out, text, size)


cdef inline PyObject* _find(PyObject* stored, const _Path* path) except NULL:
    """Return a field's value, borrowed."""
    cdef PyObject* value
    if path.owner != NULL:
        stored = (<PyObject**>(<char*>stored + path.part))[0]
        if stored == NULL or Py_TYPE(<object>stored) != path.owner:
            raise TypeError("a part is missing, or of another type")
    value = (<PyObject**>(<char*>stored + path.offset))[0]
    if value == NULL:
        raise TypeError("a field was never set")
    return value


cdef inline bint _holds(PyObject* value, PyObject* wanted) except -1:
    cdef Py_ssize_t position
    if wanted == NULL:
        return value != NONE and value != FALSE
    if PyTuple_CheckExact(<object>value):
        for position in range(PyTuple_GET_SIZE(<object>value)):
            if _is_text(PyTuple_GET_ITEM(value, position), wanted):
                return True
        return False
    return _is_text(value, wanted)


cdef inline bint _is_text(PyObject* value, PyObject* wanted) except -1:
    if value == wanted:
        return True
    return PyUnicode_CheckExact(value) and PyUnicode_Compare(value, wanted) == 0


cdef bint _are_same(PyObject* value, PyObject* other) except -1:
    if not (PyLong_CheckExact(value) and PyLong_CheckExact(other)):
        raise TypeError("only integers can be compared")
    return PyLong_AsLongLong(value) == PyLong_AsLongLong(other)
