"""Programs of others, installed or compiled once in a checkout, until what they are made from changes."""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.support.tree import ROOT

_KEPT = ROOT / ".cache" / "tests"
# What somebody may have installed beside a source by hand.
_NO_SOURCE = {"node_modules"}


def built(name: str, source: str | Path, make: Callable[[Path], None]) -> Path:
    """Return the folder that `make` has filled from a text, or from a folder that it gets a copy of.

    Nobody may write to it. Other workers that want the same wait for the first one.
    """
    folder = _KEPT / f"{name}-{_digest(source)}"
    _KEPT.mkdir(parents=True, exist_ok=True)
    with open(_KEPT / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for old in _KEPT.glob(f"{name}-*"):
                shutil.rmtree(old)
            with tempfile.TemporaryDirectory(dir=_KEPT, ignore_cleanup_errors=True) as place:
                made = Path(place) / "made"
                if isinstance(source, Path):
                    shutil.copytree(source, made, ignore=shutil.ignore_patterns(*_NO_SOURCE))
                else:
                    made.mkdir()
                make(made)
                # Only what was made to its end gets the name.
                made.rename(folder)
    return folder


def _digest(source: str | Path) -> str:
    found = hashlib.sha256()
    if isinstance(source, str):
        found.update(source.encode())
    else:
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            if _NO_SOURCE.isdisjoint(path.relative_to(source).parts):
                found.update(f"{path.relative_to(source)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]
