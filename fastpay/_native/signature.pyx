# cython: autotestdict=False
"""HMAC-SHA256 signatures of requests and webhooks. The contract is in signature.pyi.

Both pads of a key are hashed once for each key, not for every message. OpenSSL does the hashing: its
SHA-256 functions are looked up in the library that Python has loaded, so that no header is needed for the
build. If they cannot be found, `hashlib` is used instead, which takes twice as long.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.string cimport memcpy, memset

import hashlib
from binascii import b2a_base64

from fastpay import limits


cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


cdef enum:
    _DIGEST_BYTES = 32
    _HEX_CHARS = 64
    _BLOCK_BYTES = 64
    # Enough for every second of the next 30,000 years, and far below the range of the number.
    _TIMESTAMP_CHARS_MAX = 12
    _CANDIDATES_MAX = 16
    _NO_DIGIT = 0x100

assert _CANDIDATES_MAX == limits.signature_candidates_max

cdef long long _TOLERANCE_S = limits.signature_tolerance_s
cdef Py_ssize_t _HEADER_BYTES_MAX = limits.signature_header_bytes_max

cdef const char* _DIGITS = b"0123456789abcdef"
# The value of each hexadecimal digit; more than a byte for every other character.
cdef unsigned short[256] _VALUES
cdef bytes _INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
cdef bytes _OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))
cdef bytes _EMPTY_DIGEST = hashlib.sha256().digest()


cdef struct _State:
    # SHA256_CTX of openssl/sha.h: public, and unchanged since version 0.9.8.
    unsigned int[8] h
    unsigned int length_low
    unsigned int length_high
    unsigned int[16] data
    unsigned int used
    unsigned int digest_bytes
    # A guard that the functions must not overwrite; checked once, when they are tried.
    unsigned int[4] guard

ctypedef int (*_Init)(_State*) noexcept nogil
ctypedef int (*_Update)(_State*, const void*, size_t) noexcept nogil
ctypedef int (*_Final)(unsigned char*, _State*) noexcept nogil

cdef _Init _init = NULL
cdef _Update _update = NULL
cdef _Final _final = NULL
cdef bint _direct = False


cdef struct _Parsed:
    # The timestamp as a number and as text, and every candidate for a signature.
    long long timestamp
    const unsigned char* text
    Py_ssize_t text_chars
    int count
    unsigned char[_CANDIDATES_MAX][_DIGEST_BYTES] candidates
    # The scheme version of each candidate, and the newest of them.
    int[_CANDIDATES_MAX] versions
    int newest


@cython.final
@cython.auto_pickle(False)
cdef class Signer:
    # The two initial states of every message (RFC 2104 4): OpenSSL's, and the `hashlib` methods that copy
    # them.
    cdef _State inner
    cdef _State outer
    cdef object start_inner
    cdef object start_outer

    def __init__(self, bytes secret not None):
        if not secret:
            raise ValueError("a signing secret must not be empty")
        cdef bytes key = hashlib.sha256(secret).digest() if len(secret) > _BLOCK_BYTES else secret
        key = key.ljust(_BLOCK_BYTES, b"\0")
        cdef bytes inner = key.translate(_INNER_PAD)
        cdef bytes outer = key.translate(_OUTER_PAD)
        self.start_inner = hashlib.sha256(inner).copy
        self.start_outer = hashlib.sha256(outer).copy
        if _init != NULL:
            _init(&self.inner)
            _update(&self.inner, PyBytes_AS_STRING(inner), _BLOCK_BYTES)
            _init(&self.outer)
            _update(&self.outer, PyBytes_AS_STRING(outer), _BLOCK_BYTES)

    def digest(self, bytes message not None):
        return _digest(self, message)


def verify_request(tuple signers not None, bytes header not None, str method not None,
                   bytes target not None, bytes body not None, long long now_s,
                   bytes idempotency_key not None=b"", bint covers_key=False):
    cdef _Parsed parsed
    if not _read(header, now_s, 2, &parsed) or (covers_key and parsed.newest < 2):
        return None
    # Only the newest version counts: a valid v1 must not replace a v2 that does not match the key.
    cdef bytes key = _spelled(idempotency_key) if parsed.newest == 2 else None
    cdef bytes message = _request(<const char*>parsed.text, parsed.text_chars, method, target, key, body)
    return parsed.timestamp if _is_signed(&parsed, signers, message) else None


def sign_request(tuple signers not None, str method not None, bytes target not None, bytes body not None,
                 long long timestamp, bytes idempotency_key not None=b""):
    cdef bytes text = _timestamp(timestamp)
    cdef bytes message = _request(
        PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), method, target, _spelled(idempotency_key), body
    )
    return _header(text, b"v2=", signers, message)


def sign_webhook(tuple signers not None, bytes body not None, long long timestamp):
    cdef bytes text = _timestamp(timestamp)
    return _header(text, b"v1=", signers, text + b"." + body)


def verify_webhook(tuple signers not None, bytes header not None, bytes body not None, long long now_s):
    cdef _Parsed parsed
    if not _read(header, now_s, 1, &parsed):
        return None
    cdef bytes message = PyBytes_FromStringAndSize(NULL, parsed.text_chars + 1 + PyBytes_GET_SIZE(body))
    cdef char* out = _copy(PyBytes_AS_STRING(message), <const char*>parsed.text, parsed.text_chars)
    out[0] = c"."
    _copy(out + 1, PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
    return parsed.timestamp if _is_signed(&parsed, signers, message) else None


def sign_standard_webhook(tuple signers not None, str identifier not None, bytes body not None,
                          long long timestamp):
    cdef bytes message = b"%s.%s.%s" % (identifier.encode(), _timestamp(timestamp), body)
    return " ".join(
        ["v1," + b2a_base64(_digest(<Signer?>signer, message), newline=False).decode() for signer in signers]
    )


def choose_hashing(bint direct):
    global _direct
    _direct = direct and _init != NULL
    return _direct


cdef bytes _digest(Signer signer, bytes message):
    # RFC 2104 2, from the two states of the key.
    cdef _State state
    cdef unsigned char[_DIGEST_BYTES] digest
    if _direct:
        state = signer.inner
        _update(&state, PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message))
        _final(digest, &state)
        state = signer.outer
        _update(&state, digest, _DIGEST_BYTES)
        _final(digest, &state)
        return PyBytes_FromStringAndSize(<char*>digest, _DIGEST_BYTES)
    inner = signer.start_inner()
    inner.update(message)
    outer = signer.start_outer()
    outer.update(inner.digest())
    return outer.digest()


cdef bytes _digest_body(bytes body):
    cdef _State state
    cdef unsigned char[_DIGEST_BYTES] digest
    if not _direct:
        return hashlib.sha256(body).digest()
    _init(&state)
    _update(&state, PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
    _final(digest, &state)
    return PyBytes_FromStringAndSize(<char*>digest, _DIGEST_BYTES)


cdef bytes _timestamp(long long timestamp):
    if not 0 <= timestamp < 10 ** _TIMESTAMP_CHARS_MAX:
        raise ValueError("a timestamp must be a number of seconds since 1970")
    return b"%d" % timestamp


cdef bytes _spelled(bytes key):
    # A target may contain full stops too. Without any in the key, the signed text has only one
    # interpretation.
    return key.replace(b"%", b"%25").replace(b".", b"%2E")


cdef bytes _request(const char* text, Py_ssize_t text_chars, str method, bytes target, bytes key, bytes body):
    # t.METHOD.target.key.hex(sha256(body)), written once into its buffer. Version 1 has no key: None.
    cdef Py_ssize_t method_chars = 0
    cdef const char* name = PyUnicode_AsUTF8AndSize(method, &method_chars)
    cdef Py_ssize_t target_bytes = PyBytes_GET_SIZE(target)
    cdef Py_ssize_t size = text_chars + method_chars + target_bytes + _HEX_CHARS + 3
    if key is not None:
        size += PyBytes_GET_SIZE(key) + 1
    cdef bytes digest = _digest_body(body) if PyBytes_GET_SIZE(body) else _EMPTY_DIGEST
    cdef bytes message = PyBytes_FromStringAndSize(NULL, size)
    cdef char* out = _copy(PyBytes_AS_STRING(message), text, text_chars)
    out[0] = c"."
    out = _copy(out + 1, name, method_chars)
    out[0] = c"."
    out = _copy(out + 1, PyBytes_AS_STRING(target), target_bytes)
    out[0] = c"."
    if key is not None:
        out = _copy(out + 1, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        out[0] = c"."
    _write_hex(out + 1, digest)
    return message


cdef char* _copy(char* out, const char* piece, Py_ssize_t length) noexcept:
    memcpy(out, piece, length)
    return out + length


cdef void _write_hex(char* out, bytes digest) noexcept:
    cdef const unsigned char* source = <const unsigned char*>PyBytes_AS_STRING(digest)
    cdef Py_ssize_t index
    for index in range(_DIGEST_BYTES):
        out[2 * index] = _DIGITS[source[index] >> 4]
        out[2 * index + 1] = _DIGITS[source[index] & 15]


cdef str _header(bytes text, bytes name, tuple signers, bytes message):
    if not signers:
        raise ValueError("at least one secret is needed, and none may be empty")
    cdef list parts = ["t=" + text.decode()]
    cdef char[_HEX_CHARS] written
    for signer in signers:
        _write_hex(written, _digest(<Signer?>signer, message))
        parts.append(name.decode() + PyUnicode_DecodeASCII(written, _HEX_CHARS, NULL))
    return ",".join(parts)


cdef bint _read(bytes header, long long now_s, int version_max, _Parsed* parsed) noexcept:
    # Return whether the header is well formed and its timestamp within the tolerance.
    cdef const unsigned char* text = <const unsigned char*>PyBytes_AS_STRING(header)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(header)
    if length > _HEADER_BYTES_MAX or not _parse(text, length, version_max, parsed):
        return False
    return -_TOLERANCE_S <= now_s - parsed.timestamp <= _TOLERANCE_S


cdef bint _parse(const unsigned char* text, Py_ssize_t length, int version_max,
                 _Parsed* parsed) noexcept nogil:
    # name=value with commas between; every element must be well formed, also an ignored one.
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t start, equals
    cdef int version
    parsed.timestamp = -1
    parsed.count = 0
    parsed.newest = 0
    while True:
        start = at
        while at < length and _is_name(text[at]):
            at += 1
        equals = at
        if equals == start or equals == length or text[equals] != c"=":
            return False
        at += 1
        while at < length and 0x21 <= text[at] <= 0x7E and text[at] != c",":
            at += 1
        if at == equals + 1 or (at < length and text[at] != c","):
            return False
        if equals == start + 1 and text[start] == c"t":
            if not _parse_timestamp(text + equals + 1, at - equals - 1, parsed):
                return False
        elif equals == start + 2 and text[start] == c"v":
            version = text[start + 1] - c"0"
            if 1 <= version <= version_max:
                if not _parse_candidate(text + equals + 1, at - equals - 1, version, parsed):
                    return False
        if at == length:
            return parsed.timestamp >= 0 and parsed.count > 0
        at += 1


cdef bint _is_name(unsigned char byte) noexcept nogil:
    return c"a" <= (byte | 32) <= c"z" or c"0" <= byte <= c"9" or byte == c"_" or byte == c"-"


cdef bint _parse_timestamp(const unsigned char* text, Py_ssize_t length, _Parsed* parsed) noexcept nogil:
    # Each number has only one spelling, because the text is signed.
    cdef long long value = 0
    cdef Py_ssize_t index
    if parsed.timestamp >= 0 or length > _TIMESTAMP_CHARS_MAX or (length > 1 and text[0] == c"0"):
        return False
    for index in range(length):
        if not c"0" <= text[index] <= c"9":
            return False
        value = value * 10 + text[index] - c"0"
    parsed.timestamp = value
    parsed.text = text
    parsed.text_chars = length
    return True


cdef bint _parse_candidate(const unsigned char* text, Py_ssize_t length, int version,
                           _Parsed* parsed) noexcept nogil:
    cdef Py_ssize_t index
    cdef unsigned int value
    cdef unsigned int faults = 0
    if length != _HEX_CHARS or parsed.count == _CANDIDATES_MAX:
        return False
    for index in range(_DIGEST_BYTES):
        value = _VALUES[text[2 * index]] << 4 | _VALUES[text[2 * index + 1]]
        faults |= value
        parsed.candidates[parsed.count][index] = <unsigned char>value
    parsed.versions[parsed.count] = version
    parsed.count += 1
    parsed.newest = max(parsed.newest, version)
    return faults <= 0xFF


cdef void _fill_values() noexcept:
    # Lower case only: upper case would be a second header with the same meaning.
    cdef int index
    for index in range(256):
        _VALUES[index] = _NO_DIGIT
    for index in range(16):
        _VALUES[<unsigned char>_DIGITS[index]] = index


cdef bint _is_signed(_Parsed* parsed, tuple signers, bytes message) except -1:
    # Compare every candidate of the newest version with every signer, also after a match, so that the time
    # does not reveal it.
    cdef unsigned int found = 0
    cdef bytes digest
    cdef int index
    for signer in signers:
        digest = _digest(<Signer?>signer, message)
        for index in range(parsed.count):
            if parsed.versions[index] == parsed.newest:
                found |= _equal(parsed.candidates[index], <const unsigned char*>PyBytes_AS_STRING(digest))
    return found != 0


cdef unsigned int _equal(const unsigned char* one, const unsigned char* other) noexcept nogil:
    # Return 1 or 0, after the same instructions for any difference.
    cdef unsigned int difference = 0
    cdef int index
    for index in range(_DIGEST_BYTES):
        difference |= one[index] ^ other[index]
    return ((difference - 1) >> 8) & 1


cdef int _look_up() except -1:
    # A symbol is also searched in the library's dependencies: here, OpenSSL. By ctypes, because dlopen of
    # glibc 2.34 has a version of its own: a module that is linked to it needs that glibc.
    global _init, _update, _final
    cdef _Init init
    cdef _Update update
    cdef _Final final
    try:
        import _hashlib
        import ctypes
        library = ctypes.CDLL(_hashlib.__file__)
        init = <_Init><size_t>ctypes.cast(library.SHA256_Init, ctypes.c_void_p).value
        update = <_Update><size_t>ctypes.cast(library.SHA256_Update, ctypes.c_void_p).value
        final = <_Final><size_t>ctypes.cast(library.SHA256_Final, ctypes.c_void_p).value
    except (ImportError, AttributeError, OSError):
        return 0
    if _is_sound(init, update, final):
        _init, _update, _final = init, update, final
    return 0


cdef bint _is_sound(_Init init, _Update update, _Final final) except -1:
    # Use the functions only if they agree with hashlib, on a state that was filled twice, and stay inside
    # it.
    cdef bytes text = bytes(range(200))
    cdef _State state
    cdef unsigned char[_DIGEST_BYTES] digest
    memset(&state, 0xA5, sizeof(state))
    init(&state)
    update(&state, PyBytes_AS_STRING(text), 77)
    update(&state, PyBytes_AS_STRING(text) + 77, 123)
    final(digest, &state)
    if PyBytes_FromStringAndSize(<char*>digest, _DIGEST_BYTES) != hashlib.sha256(text).digest():
        return False
    return all(state.guard[index] == 0xA5A5A5A5 for index in range(4))


_fill_values()
_look_up()
choose_hashing(True)
