"""What each compiled module has beside it."""

import re
from collections.abc import Collection, Mapping
from pathlib import PurePath

# These have no oracle: they are fed and compared at the wire, the short way with the long one.
COVERED_ELSEWHERE = {
    "acceptor": "tests/attacks/",
    "awaitables": "tests/transport/",
    "exchange": "tests/transport/",
    "fields": "tests/transport/",
    "http1": "tests/transport/",
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
