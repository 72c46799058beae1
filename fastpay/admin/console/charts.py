"""Charts of what the process counts, as points of an SVG polyline. Samples are taken while somebody looks."""

from collections import deque
from collections.abc import Callable, Mapping
from itertools import pairwise

import msgspec

from fastpay import limits
from fastpay.clock import Clock

_HEIGHT = 60
_STEP = 4
# What is shown, by the name of its counter: the label, and whether it is a rate or a level.
_SHOWN = {
    "requests": ("Requests a second", True),
    "connections": ("Connections", False),
    "reads_statements": ("Statements of reads a second", True),
    "queue_commands": ("Commands that wait for a batch", False),
    "relay_delivered": ("Deliveries a second", True),
    "relay_lag": ("Events not yet delivered", False),
    "cache_bytes": ("Bytes in the cache", False),
}


class Chart(msgspec.Struct, frozen=True):
    """A line of values, oldest first. `points` are in a box of `width` by 60."""

    label: str
    now: int
    highest: int
    points: str
    width: int


class Charts:
    """Keeps the latest samples. `counts` returns what was counted since the start, or is so now."""

    def __init__(self, counts: Callable[[], Mapping[str, int]], clock: Clock) -> None:
        self._counts = counts
        self._clock = clock
        self._samples: deque[tuple[int, Mapping[str, int]]] = deque(maxlen=limits.console_samples_max)

    def take(self) -> list[Chart]:
        """Take a sample, unless there is one of this moment, and return the charts."""
        now_ns = self._clock.monotonic_ns()
        latest_ns = self._samples[-1][0] if self._samples else 0
        # Several people may look at once: the distance of samples stays what the axis says.
        if not self._samples or now_ns - latest_ns >= limits.console_sample_ms * 1_000_000:
            counts = self._counts()
            self._samples.append((now_ns, {name: counts[name] for name in _SHOWN if name in counts}))
        return [
            self._chart(name, label, is_rate=is_rate)
            for name, (label, is_rate) in _SHOWN.items()
            if name in self._samples[-1][1]
        ]

    def _chart(self, name: str, label: str, *, is_rate: bool) -> Chart:
        samples = [(taken_ns, found[name]) for taken_ns, found in self._samples if name in found]
        if is_rate:
            values = [
                round((after - before) * 1_000_000_000 / (after_ns - before_ns))
                for (before_ns, before), (after_ns, after) in pairwise(samples)
            ]
        else:
            values = [value for _, value in samples]
        values = values or [0]
        highest = max(values)
        points = " ".join(
            f"{index * _STEP},{_HEIGHT - 2 - round(value * (_HEIGHT - 4) / max(highest, 1))}"
            for index, value in enumerate(values)
        )
        width = (limits.console_samples_max - 1) * _STEP
        return Chart(label, values[-1], highest, points, width)
