"""A compiled table from method and path to endpoint: literal segments and one-segment parameters.

A literal segment has precedence over a parameter in the same segment; if it leads to no route, the
parameter is tried. The path alone decides which branch matches, so that a method that the branch lacks does
not match a parameter instead. Requests that the table does not know go to another router, 405 included.
"""

cimport cython


@cython.final
cdef class Branch:
    """One segment of a path: the literal branches, the parameter branch, and the routes that end here."""

    cdef dict literals
    cdef Branch parameter
    # method -> (endpoint, names of the path's parameters, number of the route from 1)
    cdef dict endpoints

    def __cinit__(self):
        self.literals = {}
        self.parameter = None
        self.endpoints = {}


@cython.final
cdef class Table:
    """Finds the endpoint of a request."""

    cdef Branch root
    # By path: the branches that no parameter leads to, which need no search.
    cdef dict literal

    def __init__(self, routes):
        self.root = Branch()
        self.literal = {}
        for number, (method, path, endpoint) in enumerate(routes, 1):
            self._add(method, path, endpoint, number)

    @classmethod
    def __class_getitem__(cls, endpoint):
        # For annotations only.
        return cls

    def _add(self, str method, str path, endpoint, number):
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
        branch.endpoints[method] = (endpoint, tuple(names), number)
        if not names:
            self.literal[path] = branch

    def lookup(self, str method not None, str path not None):
        cdef list values = []
        cdef Branch branch = self._find(path, values)
        if branch is None:
            return None
        found = branch.endpoints.get(method)
        if found is None:
            return None
        return (<tuple>found)[0], _arguments(<tuple>(<tuple>found)[1], values)

    def route(self, dict scope not None):
        cdef list values = []
        cdef Branch branch = self._find(<str>scope["path"], values)
        if branch is None:
            return None
        found = branch.endpoints.get(scope["method"])
        if found is None:
            return None
        scope["path_params"] = _arguments(<tuple>(<tuple>found)[1], values)
        scope["fastpay.route"] = (<tuple>found)[2]
        return (<tuple>found)[0]

    def methods(self, str path not None):
        cdef Branch branch = self._find(path, [])
        return set() if branch is None else set(branch.endpoints)

    cdef Branch _find(self, str path, list values):
        cdef list segments
        cdef object found = self.literal.get(path)
        if found is not None:
            # A literal segment has precedence, so no parameter leads here.
            return <Branch>found
        segments = path.split("/")
        if len(segments) < 2 or segments[0]:
            return None
        return _descend(self.root, segments, 1, values)


cdef dict _arguments(tuple names, list values):
    """Return the parameters of a path by name."""
    cdef dict arguments = {}
    cdef Py_ssize_t index
    for index in range(len(values)):
        arguments[names[index]] = values[index]
    return arguments


cdef Branch _descend(Branch branch, list segments, Py_ssize_t depth, list values):
    """Return the branch of these segments and append the parameters' values; None if no route matches."""
    cdef Branch found
    cdef object next_branch
    if depth == len(segments):
        return branch if branch.endpoints else None
    segment = segments[depth]
    next_branch = branch.literals.get(segment)
    if next_branch is not None:
        found = _descend(<Branch>next_branch, segments, depth + 1, values)
        if found is not None:
            return found
    if branch.parameter is None or not segment:
        return None
    values.append(segment)
    found = _descend(branch.parameter, segments, depth + 1, values)
    if found is None:
        values.pop()
    return found
