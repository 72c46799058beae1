"""The CPythons that a release is built for, and where this machine has them."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13")

_PROBE = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.executable)"


def tag(version: str) -> str:
    """Return the tag that names this version in a wheel: cp311."""
    return "cp" + version.replace(".", "")


def find_python(version: str) -> Path | None:
    """Return a CPython of this version that runs, or None."""
    for candidate in _candidates(version):
        ran = subprocess.run(
            [candidate, "-I", "-c", _PROBE], capture_output=True, text=True, check=False, timeout=60
        )
        # pyenv puts programs on the path that only say that a version is not selected.
        if ran.returncode == 0 and ran.stdout.split()[:2] == ["cpython", version]:
            return Path(ran.stdout.split(maxsplit=2)[2].strip())
    return None


def _candidates(version: str) -> Iterator[str]:
    on_the_path = map(shutil.which, (f"python{version}", "python3"))
    yield from (path for path in on_the_path if path is not None)
    yield from map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")))
