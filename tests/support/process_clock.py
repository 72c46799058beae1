"""A clock for a server's process that a test may move while it runs, by libfaketime."""

import subprocess
from pathlib import Path

import pytest

# Debian's place, and that of a build from its sources.
_FOLDERS = (*Path("/usr/lib").glob("*/faketime"), Path("/usr/local/lib/faketime"))
# Loaded by Python when it starts: what a server does every ten minutes comes five times a second.
_IMPATIENCE = (
    "from fastpay import limits\nlimits.housekeeping_interval_ms = 200\nlimits.clock_interval_ms = 200\n"
)


class MovableClock:
    """The wall clock of one process. The monotonic clock goes on as it does when a machine's time is set.

    `environment` gives a process this clock. `impatience` is the part of it that makes a server do more often
    what it does by itself.
    """

    def __init__(self, folder: Path, library: Path) -> None:
        self._file = folder / "offset"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_IMPATIENCE, encoding="ascii")
        self.move("+0")
        self.impatience = {"PYTHONPATH": str(folder)}
        self.environment = self.impatience | {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def move(self, offset: str) -> None:
        """Set how far the clock is off, as +25h, -25h or +8d; +0 puts it right."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(offset + "\n", encoding="ascii")
        draft.replace(self._file)


def find_library() -> Path:
    """Return libfaketime, or skip the test and say by name what is missing."""
    for folder in _FOLDERS:
        library = folder / "libfaketime.so.1"
        # Loading can fail where the library is there, as for a program of another architecture.
        if library.exists() and _is_loaded(library):
            return library
    pytest.skip("libfaketime is not installed (Debian package faketime)")


def _is_loaded(library: Path) -> bool:
    told = subprocess.run(
        ["date", "-u", "+%Y"],
        env={"LD_PRELOAD": str(library), "FAKETIME": "@2001-01-01 00:00:00"},
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() == "2001"
