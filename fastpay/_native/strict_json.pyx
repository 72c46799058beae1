# cython: autotestdict=False
"""JSON without ambiguities. The contract is in strict_json.pyi."""

import json

cimport cython
from cpython.dict cimport PyDict_Next
from cpython.object cimport PyObject

import msgspec

from fastpay import limits


cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object number, int* overflow) except? -1


# The result of the scan, worst first. Anything but _SOUND refuses the text.
cdef enum _Finding:
    _SOUND
    _TOO_DEEP
    _NUL_CHARACTER
    _LONE_SURROGATE
    _NUMBER
    _TOO_MANY

cdef Py_ssize_t _DEPTH_MAX = limits.json_depth_max
cdef Py_ssize_t _VALUES_MAX = limits.json_values_max
# A signed 64-bit number has at most 19 digits. Longer ones are refused unread, because conversion is
# quadratic.
cdef Py_ssize_t _DIGITS_MAX = 19

cdef object _decode_plain = msgspec.json.Decoder().decode


_NO_NUL = "NUL characters are not allowed in JSON."
_NO_SURROGATE = "The JSON contains half of a surrogate pair."


class JsonError(ValueError):
    def __init__(self, message, param=None, code=None):
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


def decode(bytes body not None, Py_ssize_t values_max=_VALUES_MAX) -> dict:
    cdef Py_ssize_t members = 0
    cdef Py_ssize_t kept = 0
    cdef _Finding finding = _scan(body, len(body), values_max, &members)
    if finding == _TOO_MANY:
        raise JsonError(
            f"The JSON has too many values: at most {values_max} are allowed.", code="parameters_too_many"
        )
    if finding == _TOO_DEEP:
        raise JsonError(f"The JSON is nested too deeply: at most {_DEPTH_MAX} levels are allowed.")
    if finding == _NUL_CHARACTER:
        raise _explain(body, values_max, _NO_NUL)
    if finding == _LONE_SURROGATE:
        raise _explain(body, values_max, _NO_SURROGATE)
    if finding == _NUMBER:
        raise _explain(body, values_max)
    try:
        tree = _decode_plain(body)
    except UnicodeDecodeError:
        raise JsonError("The JSON is not valid UTF-8.") from None
    except (msgspec.MsgspecError, RecursionError):
        raise JsonError("The body is not valid JSON.") from None
    if type(tree) is not dict:
        raise JsonError("The JSON must be an object.")
    # The scan counted the written members, this the decoded ones. The decoder keeps one of several members
    # with the same key, however the key was spelled.
    if not _count_members(tree, &kept) or kept != members:
        raise _explain(body, values_max)
    return tree


@cython.boundscheck(False)
@cython.wraparound(False)
cdef _Finding _scan(
    const unsigned char* text, Py_ssize_t size, Py_ssize_t values_max, Py_ssize_t* members
) noexcept nogil:
    """Find what the decoder would accept wrongly, and count the colons outside of strings.

    The text need not be JSON: the decoder refuses an invalid text afterwards. The scan ends at the first
    value beyond `values_max`, so that this bounds the work on a hostile text, and not its size. Keys count
    as values until their colon shows that they are keys.
    """
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t depth = 0
    cdef Py_ssize_t start
    cdef Py_ssize_t colons = 0
    # Strings (with keys), numbers, opening brackets, and the words true, false and null.
    cdef Py_ssize_t begun = 0
    cdef unsigned char byte
    cdef bint number_refused = False
    cdef _Finding finding
    while at < size:
        if begun - colons > values_max + 1:
            return _TOO_MANY
        byte = text[at]
        at += 1
        if byte == c'"':
            begun += 1
            finding = _scan_string(text, size, &at)
            if finding != _SOUND:
                return finding
        elif byte == c"{" or byte == c"[":
            begun += 1
            depth += 1
            if depth > _DEPTH_MAX:
                return _TOO_DEEP
        elif byte == c"}" or byte == c"]":
            depth -= 1
        elif byte == c":":
            colons += 1
        elif byte == 0:
            return _NUL_CHARACTER
        elif byte == c"t" or byte == c"f" or byte == c"n":
            begun += 1
        elif c"0" <= byte <= c"9":
            begun += 1
            start = at - 1
            while at < size and c"0" <= text[at] <= c"9":
                at += 1
            if at - start > _DIGITS_MAX or at < size and (text[at] == c"." or text[at] | 0x20 == c"e"):
                # Continue: the explanation needs a depth that is known to be bounded.
                number_refused = True
    members[0] = colons
    if begun - colons > values_max:
        return _TOO_MANY
    return _NUMBER if number_refused else _SOUND


@cython.boundscheck(False)
@cython.wraparound(False)
cdef _Finding _scan_string(const unsigned char* text, Py_ssize_t size, Py_ssize_t* position) noexcept nogil:
    """Read from after the opening quotation mark to after the closing one, or to the end."""
    cdef Py_ssize_t at = position[0]
    cdef int unit
    cdef unsigned char byte
    cdef bint expecting_low = False
    while at < size:
        byte = text[at]
        at += 1
        if byte == c"\\" and at < size:
            byte = text[at]
            at += 1
            if byte == c"u":
                unit = _escaped_unit(text, size, at)
                if unit == 0:
                    return _NUL_CHARACTER
                if (0xDC00 <= unit <= 0xDFFF) != expecting_low:
                    return _LONE_SURROGATE
                expecting_low = 0xD800 <= unit <= 0xDBFF
                if unit > 0:
                    at += 4
                continue
        elif byte == 0:
            return _NUL_CHARACTER
        elif byte == c'"':
            break
        if expecting_low:
            return _LONE_SURROGATE
    position[0] = at
    return _LONE_SURROGATE if expecting_low else _SOUND


@cython.boundscheck(False)
@cython.wraparound(False)
cdef int _escaped_unit(const unsigned char* text, Py_ssize_t size, Py_ssize_t at) noexcept nogil:
    """Read the four digits after \\u; return -1 if they are missing, which the decoder will report."""
    cdef int unit = 0
    cdef int count
    cdef unsigned char byte
    if size - at < 4:
        return -1
    for count in range(4):
        byte = text[at + count]
        if c"0" <= byte <= c"9":
            unit = unit << 4 | (byte - c"0")
        elif c"a" <= byte | 0x20 <= c"f":
            unit = unit << 4 | ((byte | 0x20) - c"a" + 10)
        else:
            return -1
    return unit


cdef bint _count_members(object tree, Py_ssize_t* members) except -1:
    """Add the members of all objects in `tree`; return false for an integer beyond 64 bits.

    Recursion is bounded, because the scan has bounded the depth.
    """
    cdef PyObject* value
    cdef Py_ssize_t position = 0
    cdef int overflow = 0
    if type(tree) is dict:
        members[0] += len(<dict>tree)
        while PyDict_Next(tree, &position, NULL, &value):
            if not _count_members(<object>value, members):
                return False
    elif type(tree) is list:
        for element in <list>tree:
            if not _count_members(element, members):
                return False
    elif type(tree) is int:
        PyLong_AsLongLongAndOverflow(tree, &overflow)
    return overflow == 0


# The rest finds the message for a refusal that is already certain. It need not be fast.


class _Members(tuple):
    """The members of one object as (key, value) pairs, in their written order."""


class _BadNumber(str):
    """Stands for a refused number; its text is the reason."""


cdef object _explain(bytes body, Py_ssize_t values_max, str otherwise="The body is not valid JSON."):
    """Return the error for a refused body, with the parameter if it can be found."""
    if _count_values(body, len(body)) > values_max:
        # After the error there is more than may be read.
        return JsonError(otherwise)
    try:
        tree = json.loads(
            body.decode(),
            strict=False,
            object_pairs_hook=_Members,
            parse_float=_refuse_float,
            parse_int=_check_integer,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        return JsonError(otherwise)
    error = _find_error(tree, None)
    return error if error is not None else JsonError(otherwise)


@cython.boundscheck(False)
@cython.wraparound(False)
cdef Py_ssize_t _count_values(const unsigned char* text, Py_ssize_t size) noexcept nogil:
    """Count the beginnings of values, keys included, in any text."""
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t count = 0
    cdef bint in_string = False
    cdef bint in_number = False
    cdef unsigned char byte
    while at < size:
        byte = text[at]
        at += 1
        if in_string:
            if byte == c"\\":
                at += 1
            in_string = byte != c'"'
            continue
        in_string = byte == c'"'
        if c"0" <= byte <= c"9":
            count += not in_number
            in_number = True
            continue
        in_number = False
        if byte in b'"{[tfnNI':
            count += 1
        elif byte == c":":
            count -= 1
    return count


cdef object _find_fault_of_text(str text):
    """Return the reason why a text is refused, or None."""
    if "\0" in text:
        return _NO_NUL
    try:
        text.encode()
    except UnicodeEncodeError:
        return _NO_SURROGATE
    return None


def _refuse_float(text):
    return _BadNumber("Numbers must be whole, without a fraction or an exponent.")


def _check_integer(text):
    if len(text) <= _DIGITS_MAX + 1:
        number = int(text)
        if -(1 << 63) <= number < 1 << 63:
            return number
    return _BadNumber("The number does not fit into 64 bits.")


def _refuse_constant(text):
    raise ValueError


cdef object _find_error(object tree, object path):
    """Return the first error in the order of the text, or None."""
    if type(tree) is _BadNumber:
        return JsonError(str(tree), path)
    if type(tree) is str:
        fault = _find_fault_of_text(tree)
        return None if fault is None else JsonError(fault, path)
    if type(tree) is list:
        for index, value in enumerate(tree):
            error = _find_error(value, f"{path}[{index}]" if path is not None else None)
            if error is not None:
                return error
    if type(tree) is _Members:
        seen = set()
        for key, value in tree:
            fault = _find_fault_of_text(key)
            if fault is not None:
                # Such a key cannot be named; its parent can.
                return JsonError(fault, path)
            inner = f"{path}[{key}]" if path is not None else key
            if key in seen:
                return JsonError("An object has the same key twice.", inner)
            seen.add(key)
            error = _find_error(value, inner)
            if error is not None:
                return error
    return None
