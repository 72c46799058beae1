"""Encodes spans as OTLP has them, a batch in one pass. The contract is in spans.pyi."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from fastpay._native.digit_runs import in_text
from fastpay._native.sampling cimport flag_of

# The fields of the messages of trace.proto, as the byte that stands before a value. Numbers are little
# endian there, as on all machines that this runs on.
cdef enum:
    RESOURCE_SPANS = 0x0a
    SCOPE_SPANS = 0x12
    SPANS = 0x12
    TRACE_ID = 0x0a
    SPAN_ID = 0x12
    TRACE_STATE = 0x1a
    PARENT_ID = 0x22
    BEGIN = 0x39
    END = 0x41
    ATTRIBUTE = 0x4a
    LINK = 0x6a
    STATUS = 0x7a
    LINK_FLAGS = 0x35
    KEY = 0x0a
    VALUE = 0x12
    STRING = 0x0a
    INTEGER = 0x18
    TRACE_BYTES = 16
    ID_BYTES = 8
    RANDOM_BYTES = 24

# The flags of a span: its field has a number of two bytes. It is known whether the parent is in another
# process, and the second one says that it is.
cdef bytes KNOWN = b"\x85\x01\x00\x01\x00\x00"
cdef bytes REMOTE = b"\x85\x01\x00\x03\x00\x00"
cdef bytes LINK_KNOWN = b"\x00\x01\x00\x00"
cdef bytes ERROR = b"\x18\x02"


@cython.final
cdef class Template:
    """What many spans have in common."""

    cdef readonly bytes encoded
    cdef readonly bint is_server
    cdef readonly str route
    cdef readonly object series

    def __init__(self, bytes encoded not None, *, bint is_server, str route=None, series=None):
        self.encoded = encoded
        self.is_server = is_server
        self.route = route
        self.series = series


@cython.final
cdef class Buffer:
    # Bytes that grow.
    cdef char* data
    cdef Py_ssize_t size
    cdef Py_ssize_t room

    def __dealloc__(self):
        PyMem_Free(self.data)

    cdef int put(self, const void* data, Py_ssize_t size) except -1:
        cdef Py_ssize_t room
        cdef char* moved
        if self.size + size > self.room:
            room = 2 * (self.size + size)
            moved = <char*>PyMem_Realloc(self.data, room)
            if moved == NULL:
                raise MemoryError
            self.data = moved
            self.room = room
        memcpy(self.data + self.size, data, size)
        self.size += size
        return 0

    cdef int put_bytes(self, bytes value) except -1:
        return self.put(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))

    cdef int put_byte(self, unsigned char value) except -1:
        return self.put(&value, 1)

    cdef int put_number(self, uint64_t value) except -1:
        # Seven bits a byte, the lowest first.
        cdef unsigned char digits[10]
        cdef int count = 0
        while value > 127:
            digits[count] = <unsigned char>(value & 127 | 128)
            count += 1
            value >>= 7
        digits[count] = <unsigned char>value
        return self.put(digits, count + 1)

    cdef int put_moment(self, unsigned char field, uint64_t moment_ns) except -1:
        self.put_byte(field)
        return self.put(&moment_ns, 8)

    cdef int put_field(self, unsigned char field, bytes value) except -1:
        self.put_byte(field)
        self.put_number(PyBytes_GET_SIZE(value))
        return self.put_bytes(value)

    cdef int put_buffer(self, unsigned char field, Buffer other) except -1:
        self.put_byte(field)
        self.put_number(other.size)
        return self.put(other.data, other.size)

    cdef int put_attribute(self, bytes key, value) except -1:
        cdef bytes text = None
        cdef uint64_t number = 0
        cdef Py_ssize_t size
        if isinstance(value, str):
            text = (<str>value).encode("utf-8", "replace")
            size = _field_size(PyBytes_GET_SIZE(text))
        else:
            number = value
            size = 1 + _number_size(number)
        self.put_byte(ATTRIBUTE)
        self.put_number(_field_size(PyBytes_GET_SIZE(key)) + _field_size(size))
        self.put_field(KEY, key)
        self.put_byte(VALUE)
        self.put_number(size)
        if text is not None:
            return self.put_field(STRING, text)
        self.put_byte(INTEGER)
        return self.put_number(number)

    cdef bytes take(self):
        found = PyBytes_FromStringAndSize(self.data, self.size)
        self.size = 0
        return found


@cython.final
cdef class SpanEncoder:
    """Encodes batches of spans."""

    cdef bytes resource
    cdef bytes scope
    cdef object describe
    cdef Py_ssize_t templates_max
    cdef dict templates
    cdef Buffer span
    cdef Buffer link
    cdef Buffer all

    def __init__(self, bytes resource not None, bytes scope not None, describe, Py_ssize_t templates_max):
        self.resource = resource
        self.scope = scope
        self.describe = describe
        self.templates_max = templates_max
        self.templates = {}
        self.span = Buffer.__new__(Buffer)
        self.link = Buffer.__new__(Buffer)
        self.all = Buffer.__new__(Buffer)

    def encode(self, list records not None, bytes random not None, long long offset_ns):
        cdef Py_ssize_t index
        cdef list requests = []
        cdef const char* chance = PyBytes_AS_STRING(random)
        if PyBytes_GET_SIZE(random) < RANDOM_BYTES * len(records):
            raise ValueError("a span needs 24 random bytes")
        self.all.size = 0
        self.all.put_bytes(self.scope)
        for index in range(len(records)):
            record = records[index]
            self.span.size = 0
            if isinstance(record, tuple):
                self.put_request(<tuple>record, chance + RANDOM_BYTES * index, offset_ns, requests)
            else:
                self.put_span(record, offset_ns, requests)
            self.all.put_buffer(SPANS, self.span)
        self.span.size = 0
        self.span.put_bytes(self.resource)
        self.span.put_buffer(SCOPE_SPANS, self.all)
        self.all.size = 0
        self.all.put_buffer(RESOURCE_SPANS, self.span)
        return self.all.take(), requests

    cdef int put_request(
        self, tuple record, const char* chance, long long offset_ns, list requests
    ) except -1:
        trace, method, path, scheme, version, route, status, request_id, begun, ended, parent, state = record
        cdef Template template = self.template_of((method, route, status, scheme, version))
        cdef long long begun_ns = begun, ended_ns = ended
        cdef Buffer span = self.span
        cdef bytes trace_id, parent_id = None, caller
        if trace is not None:
            trace_id = self.put_trace(span, trace)
            state = trace.state
            self.put_parent(_id(trace.parent_id) if trace.parent_id else None, state, True)
        else:
            if parent is not None:
                caller = (<str>parent).encode("latin-1", "replace")
                if flag_of(caller) >= 0:
                    parent_id = bytes.fromhex(parent[36:52])
                    trace_id = bytes.fromhex(parent[3:35])
            if parent_id is None:
                trace_id, state = chance[:TRACE_BYTES], None
            span.put_field(TRACE_ID, trace_id)
            span.put_field(SPAN_ID, chance[TRACE_BYTES:RANDOM_BYTES])
            self.put_parent(parent_id, state, True)
        span.put_bytes(template.encoded)
        span.put_moment(BEGIN, begun_ns + offset_ns)
        span.put_moment(END, ended_ns + offset_ns)
        if template.route is not None:
            # A path may hold a card number.
            span.put_attribute(b"url.path", template.route if in_text(path) else path)
        span.put_attribute(b"fastpay.request_id", request_id)
        if template.series is not None:
            requests.append((template.series, trace_id, ended_ns - begun_ns, ended_ns + offset_ns))
        return 0

    cdef int put_span(self, record, long long offset_ns, list measured) except -1:
        cdef Template template = self.template_of(record.about)
        cdef Buffer span = self.span
        cdef long long ended_ns
        trace, error = record.trace, record.error
        trace_id = self.put_trace(span, trace)
        self.put_parent(_id(trace.parent_id) if trace.parent_id else None, trace.state, template.is_server)
        span.put_bytes(template.encoded)
        span.put_moment(BEGIN, trace.begun_ns + offset_ns)
        span.put_moment(END, record.ended_ns + offset_ns)
        for name, value in record.own.items():
            span.put_attribute((<str>name).encode(), value)
        if error is not None:
            span.put_attribute(b"error.type", error)
            span.put_field(STATUS, ERROR)
        for linked in record.links:
            self.link.size = 0
            self.put_trace(self.link, linked)
            if linked.state:
                self.link.put_field(TRACE_STATE, (<str>linked.state).encode("utf-8", "replace"))
            self.link.put_byte(LINK_FLAGS)
            self.link.put_bytes(LINK_KNOWN)
            span.put_buffer(LINK, self.link)
        for series, duration_ns, ended in record.measured:
            ended_ns = ended
            measured.append((series, trace_id, duration_ns, ended_ns + offset_ns))
        return 0

    cdef bytes put_trace(self, Buffer to, trace):
        # Put the identifiers of a span, and return that of its trace.
        cdef bytes trace_id = trace.trace_id.to_bytes(TRACE_BYTES, "big")
        to.put_field(TRACE_ID, trace_id)
        to.put_field(SPAN_ID, _id(trace.span_id))
        return trace_id

    cdef int put_parent(self, bytes parent_id, state, bint is_remote) except -1:
        if parent_id is not None:
            self.span.put_field(PARENT_ID, parent_id)
        self.span.put_bytes(REMOTE if is_remote and parent_id is not None else KNOWN)
        if state:
            self.span.put_field(TRACE_STATE, (<str>state).encode("utf-8", "replace"))
        return 0

    cdef Template template_of(self, key):
        cdef Template template = <Template>self.templates.get(key)
        if template is None:
            if len(self.templates) >= self.templates_max:
                self.templates.clear()
            template = self.describe(key)
            self.templates[key] = template
        return template


cdef bytes _id(number):
    return number.to_bytes(ID_BYTES, "big")


cdef Py_ssize_t _number_size(uint64_t value) noexcept:
    cdef Py_ssize_t size = 1
    while value > 127:
        value >>= 7
        size += 1
    return size


cdef Py_ssize_t _field_size(Py_ssize_t size) noexcept:
    # The size of a field whose value has this size.
    return 1 + _number_size(size) + size
