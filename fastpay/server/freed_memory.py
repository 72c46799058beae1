"""Returns freed memory to the system after a surge.

The C library keeps freed memory that lies below memory in use for the life of the process. `malloc_trim`
returns all whole free pages. It takes some milliseconds, so it is called only when the process is much
larger than its holdings explain.
"""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

from fastpay import limits

_STATM = Path("/proc/self/statm")


class FreedMemory:
    """Checks the size of the process once a second."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._trim: Callable[[int], object] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if not _STATM.exists():
            self._trim = None
        self._looked_ns = 0
        self._least = self._resident_bytes()

    def give_back(self, held_bytes: int) -> None:
        """Return free memory to the system if there is much of it; cheap to call often.

        `held_bytes` counts bytes in use, which are no reason to trim.
        """
        now_ns = self._now_ns()
        if self._trim is None or now_ns - self._looked_ns < limits.trim_interval_ms * 1_000_000:
            return
        self._looked_ns = now_ns
        size = self._resident_bytes() - held_bytes
        if size >= self._least + limits.surge_bytes_min:
            self._trim(0)
            # The rest is in use. From now on only growth above it counts.
            self._least = self._resident_bytes() - held_bytes
        else:
            self._least = min(self._least, size)

    def _resident_bytes(self) -> int:
        if self._trim is None:
            return 0
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
