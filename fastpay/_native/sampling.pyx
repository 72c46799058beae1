"""Which requests are traced: a draw that makes no object, under a ceiling of traces a second."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

cdef enum:
    PARENT_BYTES = 55
    SECOND_NS = 1_000_000_000

# How many draws there are.
cdef double DRAWS = 9007199254740992.0
cdef unsigned long long MULTIPLIER = 0x2545F4914F6CDD1D


@cython.final
cdef class Sampler:
    """Draws requests."""

    def __init__(self, double share, bytes seed not None, *, bint follows_callers, int per_second_max):
        self.below = <unsigned long long>(min(max(share, 0.0), 1.0) * DRAWS)
        # A generator of this kind never leaves zero.
        self.state = int.from_bytes(seed[:8], "big") | 1
        self.follows_callers = follows_callers
        self.per_second_max = per_second_max
        self.second = -1

    def is_drawn(self, bytes parent, long long now_ns):
        return self.draw(parent, now_ns)

    cdef bint draw(self, bytes parent, long long now_ns) noexcept:
        cdef unsigned long long state
        cdef int flag = -1
        if parent is not None and self.follows_callers:
            flag = flag_of(parent)
        if flag == 0:
            return False
        if flag < 0:
            # Source: Marsaglia, "Xorshift RNGs" (2003); Vigna's xorshift64*. Draws are of the upper 53 bits.
            state = self.state
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            self.state = state
            if (state * MULTIPLIER) >> 11 >= self.below:
                return False
        # Callers who sample everything meet the ceiling too.
        if now_ns // SECOND_NS != self.second:
            self.second = now_ns // SECOND_NS
            self.left = self.per_second_max
        if self.left <= 0:
            self.refused += 1
            return False
        self.left -= 1
        return True


def sampled_flag(bytes parent not None):
    """Return the flag "sampled" of a traceparent, 0 or 1, and -1 if it is invalid."""
    return flag_of(parent)


cdef int flag_of(bytes parent) noexcept:
    # version "-" 32 digits "-" 16 digits "-" 2 digits; a later version may append "-" and more.
    cdef const char* text = PyBytes_AS_STRING(parent)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(parent)
    cdef Py_ssize_t index
    cdef bint has_trace = False, has_span = False
    if size < PARENT_BYTES or text[2] != c"-" or text[35] != c"-" or text[52] != c"-":
        return -1
    for index in range(PARENT_BYTES):
        if index == 2 or index == 35 or index == 52:
            continue
        if _digit(text[index]) < 0:
            return -1
        if text[index] != c"0":
            has_trace |= 2 < index < 35
            has_span |= 35 < index < 52
    if not has_trace or not has_span or (text[0] == c"f" and text[1] == c"f"):
        return -1
    if size > PARENT_BYTES and (text[PARENT_BYTES] != c"-" or (text[0] == c"0" and text[1] == c"0")):
        return -1
    return _digit(text[54]) & 1


cdef int _digit(char sign) noexcept:
    # Only lower case is valid.
    if c"0" <= sign <= c"9":
        return sign - c"0"
    if c"a" <= sign <= c"f":
        return sign - c"a" + 10
    return -1
