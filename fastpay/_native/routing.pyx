"""A compiled table from method and path to endpoint: literal segments and one-segment parameters.

A literal segment is preferred to a parameter at the same place, and where it leads nowhere the parameter is
tried. What the table does not know is for another router to decide, 405 included.
"""

cimport cython


@cython.final
cdef class Branch:
    """A place between two slashes: where literal segments lead, where any leads, and what ends here."""

    cdef dict literals
    cdef Branch parameter
    # method -> (endpoint, names of the parameters on the way)
    cdef dict endpoints

    def __cinit__(self):
        self.literals = {}
        self.parameter = None
        self.endpoints = {}


@cython.final
cdef class Table:
    """Finds the endpoint of a request."""

    cdef Branch root

    def __init__(self, routes):
        self.root = Branch()
        for method, path, endpoint in routes:
            self._add(method, path, endpoint)

    @classmethod
    def __class_getitem__(cls, endpoint):
        # For annotations alone.
        return cls

    def _add(self, str method, str path, endpoint):
        cdef Branch branch = self.root
        cdef list names = []
        if not path.startswith("/"):
            raise ValueError(f"{path!r} does not begin with a slash")
        for segment in path.split("/")[1:]:
            if segment.startswith("{") and segment.endswith("}"):
                if not segment[1:-1].isidentifier() or segment[1:-1] in names:
                    raise ValueError(f"{path!r} has a parameter without a name of its own")
                names.append(segment[1:-1])
                if branch.parameter is None:
                    branch.parameter = Branch()
                branch = branch.parameter
            elif "{" in segment or "}" in segment:
                raise ValueError(f"{path!r} has a parameter that is not a whole segment")
            else:
                if segment not in branch.literals:
                    branch.literals[segment] = Branch()
                branch = branch.literals[segment]
        if method in branch.endpoints:
            raise ValueError(f"{method} {path} is there twice")
        branch.endpoints[method] = (endpoint, tuple(names))

    def lookup(self, str method not None, str path not None):
        cdef list segments = path.split("/")
        cdef list values = []
        cdef tuple found
        if len(segments) < 2 or segments[0]:
            return None
        found = _find(self.root, method, segments, 1, values)
        if found is None:
            return None
        if not values:
            return found[0], {}
        return found[0], dict(zip(<tuple>found[1], values))

    def methods(self, str path not None):
        cdef list segments = path.split("/")
        cdef set names = set()
        if len(segments) >= 2 and not segments[0]:
            _collect(self.root, segments, 1, names)
        return names


cdef tuple _find(Branch branch, str method, list segments, Py_ssize_t place, list values):
    cdef tuple found
    cdef object next_branch
    if place == len(segments):
        return <tuple>branch.endpoints.get(method)
    segment = segments[place]
    next_branch = branch.literals.get(segment)
    if next_branch is not None:
        found = _find(<Branch>next_branch, method, segments, place + 1, values)
        if found is not None:
            return found
    if branch.parameter is None or not segment:
        return None
    values.append(segment)
    found = _find(branch.parameter, method, segments, place + 1, values)
    if found is None:
        values.pop()
    return found


cdef int _collect(Branch branch, list segments, Py_ssize_t place, set names) except -1:
    cdef object next_branch
    if place == len(segments):
        names.update(branch.endpoints)
        return 0
    next_branch = branch.literals.get(segments[place])
    if next_branch is not None:
        _collect(<Branch>next_branch, segments, place + 1, names)
    if branch.parameter is not None and segments[place]:
        _collect(branch.parameter, segments, place + 1, names)
    return 0
