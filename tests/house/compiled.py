"""What each compiled module has beside it."""

import re
from collections.abc import Collection, Mapping
from pathlib import PurePath

# These have no oracle: they are fed and compared at the wire, the short way with the long one.
COVERED_ELSEWHERE = {
    "acceptor": "tests/attacks/",
    "awaitables": "tests/transport/",
    "entropy": "tests/unit/test_clock.py",
    "exchange": "tests/transport/",
    "fields": "tests/transport/",
    "http1": "tests/transport/",
    "http2_codec": "tests/transport/",
    "http2_connection": "tests/transport/",
    "http2_control": "tests/transport/",
    "http2_exchange": "tests/transport/",
    "http2_guard": "tests/transport/",
    "http2_sending": "tests/transport/",
    "http2_streams": "tests/transport/",
    "link": "tests/transport/",
    "poller": "tests/transport/",
    "reading": "tests/transport/",
    "service": "tests/transport/",
    "shortcut": "tests/http/",
    "target": "tests/transport/",
    "tls": "tests/transport/",
}


def check_compiled(files: Collection[str], tests: Mapping[str, str]) -> list[str]:
    """Find compiled modules without a contract, or without an oracle that a test compares them with.

    `files` are paths from the project's root, `tests` the sources of those below tests/.
    """
    faults = []
    for path in sorted(files):
        name = PurePath(path).stem
        if not re.fullmatch(r"fastpay/_native/\w+\.pyx", path):
            continue
        if path.removesuffix("x") + "i" not in files:
            faults.append(f"{path}: has no .pyi with its contract")
        elsewhere = COVERED_ELSEWHERE.get(name)
        if elsewhere is not None and any(test.startswith(elsewhere) for test in tests):
            continue
        if f"tests/reference/{name}.py" not in files:
            faults.append(f"{path}: has no oracle in tests/reference/{name}.py")
        elif not any(_imports_oracle(test, source, name) for test, source in tests.items()):
            faults.append(f"{path}: no test compares it with its oracle")
    return faults


def _imports_oracle(path: str, source: str, name: str) -> bool:
    if not PurePath(path).name.startswith("test_"):
        return False
    direct = rf"^\s*(from|import) tests\.reference\.{name}\b"
    listed = rf"^\s*from tests\.reference import [^#\n]*\b{name}\b"
    return re.search(f"{direct}|{listed}", source, re.MULTILINE) is not None


_CLASS = re.compile(r"^cdef class (\w+)[^\n]*:\n((?:[ \t]+[^\n]*\n|\n)*)", re.MULTILINE)
_FIELD = re.compile(r"^    cdef (?:readonly |public )?([^(\n=]+?)(\**)(\w+)$", re.MULTILINE)
_FREEING = re.compile(r"^    def __dealloc__\(self\):\n((?:        [^\n]*\n|\n)+)", re.MULTILINE)
_PLAIN_TYPE = re.compile(
    r"(unsigned |signed )?(char|short|int|long|long long|size_t|double|float|bint|Py_ssize_t|u?int\d+_t)"
)


def check_freeing(path: str, source: str) -> list[str]:
    """Find a `__dealloc__` that uses an object of a class whose attributes the collector may clear before.

    `source` is the .pxd, where there is one, and then the .pyx. Of an object in a garbage cycle the collector
    first sets the attributes that are objects to None, unless the class says `no_gc_clear` or `no_gc`.
    """
    plain: dict[str, set[str]] = {}
    faults = []
    for found in _CLASS.finditer(source):
        name, body = found.groups()
        for kind, stars, attribute in _FIELD.findall(body):
            if stars or "*" in kind or "[" in kind or _PLAIN_TYPE.fullmatch(kind.strip()):
                plain.setdefault(name, set()).add(attribute)
        freeing = _FREEING.search(body)
        lines_above = source[: found.start()].rsplit("\n\n", 1)[-1]
        if freeing is None or re.search(r"^@cython\.no_gc(_clear)?$", lines_above, re.MULTILINE):
            continue
        code = re.sub(r"#[^\n]*", "", freeing[1])
        used = set(re.findall(r"\bself\.(\w+)", code)) | set(re.findall(r"\bself\b(?!\.)", code))
        faults += [f"{path}: {name} is freed by {one}" for one in sorted(used - plain.get(name, set()))]
    return faults
