"""Histograms with the same bounds, counted in one array: a value costs a few compares and two additions."""

cimport cython
from libc.stdlib cimport calloc, free
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec


@cython.final
cdef class Histograms:
    """As many histograms as there are series. Each has a count a bucket, one above the bounds, and a sum."""

    def __cinit__(self, bounds, Py_ssize_t series):
        cdef Py_ssize_t index
        if series < 1 or not bounds or list(bounds) != sorted(set(bounds)):
            raise ValueError("bounds must ascend, and there must be at least one series")
        self.bounds = tuple(bounds)
        self.bound_count = len(self.bounds)
        self.series = series
        self.width = self.bound_count + 2
        self.limits = <long long*>calloc(self.bound_count, sizeof(long long))
        self.cells = <long long*>calloc(series * self.width, sizeof(long long))
        if self.limits == NULL or self.cells == NULL:
            raise MemoryError
        for index in range(self.bound_count):
            self.limits[index] = self.bounds[index]

    def __dealloc__(self):
        free(self.limits)
        free(self.cells)

    cdef void add(self, Py_ssize_t series, long long value) noexcept:
        # A series that does not exist counts as the first one: no caller's mistake may write elsewhere.
        cdef Py_ssize_t bucket = 0
        cdef long long* row
        if not 0 <= series < self.series:
            series = 0
        row = self.cells + series * self.width
        while bucket < self.bound_count and value > self.limits[bucket]:
            bucket += 1
        row[bucket] += 1
        row[self.width - 1] += value

    def observe(self, long long value, Py_ssize_t series=0):
        if not 0 <= series < self.series:
            raise IndexError(series)
        self.add(series, value)

    def read(self, Py_ssize_t series=0):
        cdef long long* row
        if not 0 <= series < self.series:
            raise IndexError(series)
        row = self.cells + series * self.width
        return [row[index] for index in range(self.bound_count + 1)], row[self.width - 1]

    def used(self):
        cdef Py_ssize_t series, index
        cdef long long* row
        cdef list found = []
        for series in range(self.series):
            row = self.cells + series * self.width
            for index in range(self.bound_count + 1):
                if row[index]:
                    found.append(series)
                    break
        return found


cdef long long monotonic() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <long long>now.tv_sec * 1_000_000_000 + now.tv_nsec
