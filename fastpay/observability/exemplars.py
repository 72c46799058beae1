"""Exemplars of the request durations: for each bucket, the last trace in it that a collector has.

Source: OpenMetrics 1.0, "Exemplars". A request that is not traced costs nothing here.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from fastpay import limits
from fastpay.observability.buckets import DURATION_BOUNDS_NS

Series = tuple[str, ...]


# A request that a collector has: its series, its trace, how long it took, when it ended since 1970.
Shown = tuple[Series, bytes, int, int]


class Exemplar(msgspec.Struct, frozen=True, gc=False):
    """A trace of a request, how long the request took, and when it ended."""

    trace_id: bytes
    duration_ns: int
    moment_ns: int

    def __str__(self) -> str:
        """Return it as it stands behind a bucket in OpenMetrics."""
        seconds, moment_s = self.duration_ns / 1e9, self.moment_ns / 1e9
        return f'# {{trace_id="{self.trace_id.hex()}"}} {seconds!r} {moment_s:.3f}'


class Exemplars:
    """The exemplars of all series. The thread that exports adds them, and scrapes read them.

    There are as many at most as the routes have series, times the buckets.
    """

    def __init__(self) -> None:
        self._found: dict[Series, dict[int, Exemplar]] = {}
        # What no scrape has looked at yet.
        self._new: deque[Sequence[Shown]] = deque(maxlen=limits.trace_exemplar_batches_kept)

    def add(self, requests: Sequence[Shown]) -> None:
        """Keep requests that were exported. A series has the values of the labels."""
        self._new.append(requests)

    def of(self, series: Series) -> Mapping[int, Exemplar]:
        """Return those of a series, by the number of the bucket."""
        while self._new:
            for name, trace_id, duration_ns, moment_ns in self._new.popleft():
                bucket = bisect_left(DURATION_BOUNDS_NS, duration_ns)
                exemplar = Exemplar(trace_id, duration_ns, moment_ns)
                self._found.setdefault(name, {})[bucket] = exemplar
        return self._found.get(series, {})
