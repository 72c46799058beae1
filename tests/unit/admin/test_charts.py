"""Charts of what the process counts."""

from fastpay import limits
from fastpay.admin.console.charts import Charts


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_ns = 0

    def now_ms(self) -> int:
        return self.now_ns // 1_000_000

    def monotonic_ns(self) -> int:
        return self.now_ns

    def random_bytes(self, count: int) -> bytes:
        return bytes(count)


def test_rates_are_shown_a_second_and_levels_as_they_are() -> None:
    clock, counts = Hand(), {"requests": 0, "connections": 3, "unknown": 9}
    charts = Charts(lambda: counts, clock)
    charts.take()
    clock.now_ns, counts["requests"], counts["connections"] = 2_000_000_000, 100, 5
    requests, connections = charts.take()
    assert (requests.label, requests.now, requests.highest) == ("Requests a second", 50, 50)
    assert (connections.now, connections.highest) == (5, 5)


def test_many_who_look_take_no_more_samples_and_none_is_kept_for_ever() -> None:
    clock, taken = Hand(), 0

    def read() -> dict[str, int]:
        nonlocal taken
        taken += 1
        return {"connections": taken}

    charts = Charts(read, clock)
    for _ in range(5):
        charts.take()
    assert taken == 1
    for number in range(limits.console_samples_max + 10):
        clock.now_ns = (number + 1) * limits.console_sample_ms * 1_000_000
        (chart,) = charts.take()
    points = chart.points.split(" ")
    assert len(points) == limits.console_samples_max
    assert points[-1].partition(",")[0] == str(chart.width)
