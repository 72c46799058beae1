"""Random bytes from the system, drawn ahead. The contract is in entropy.pyi."""

import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from fastpay import limits

cdef Py_ssize_t _DRAWN = limits.entropy_bytes_drawn
cdef Py_ssize_t _AHEAD_MAX = limits.entropy_ahead_bytes_max
cdef bytes _pool = b""
cdef Py_ssize_t _used = 0


def random_bytes(Py_ssize_t count) -> bytes:
    global _pool, _used
    cdef bytes taken
    if not 0 <= count <= _AHEAD_MAX:
        return os.urandom(count)
    if PyBytes_GET_SIZE(_pool) - _used < count:
        # Another thread may come here during the call: both put a pool of their own, and the later one stays.
        drawn = os.urandom(_DRAWN)
        _pool, _used = drawn, 0
    # From here on nothing lets another thread run, so no two of them take the same bytes.
    taken = PyBytes_FromStringAndSize(PyBytes_AS_STRING(_pool) + _used, count)
    _used += count
    return taken


def forget() -> None:
    global _pool, _used
    _pool, _used = b"", 0


# A child that was forked must not draw what its parent draws.
os.register_at_fork(after_in_child=forget)
