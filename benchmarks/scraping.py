"""What does a scrape cost? Twenty routes have been asked for, and all counters are shown."""

from collections.abc import Callable

from fastpay._native.histograms import Histograms
from fastpay.observability.buckets import DURATION_BOUNDS_NS
from fastpay.observability.counters import Counters
from fastpay.observability.metrics import TABLE, Distribution, Metrics

_SERIES, _USED = 1_500, 20


class _Counts:
    def counts(self) -> dict[str, int]:
        return {metric.counter: 1_234_567 for metric in TABLE if metric.counter is not None}


def scraping() -> Callable[[], bytes]:
    """Return what renders all metrics."""
    counters = Counters()
    counters.add(_Counts())
    metrics = Metrics(counters)
    durations = Histograms(DURATION_BOUNDS_NS, _SERIES)
    for number in range(_USED):
        durations.observe(1_000_000, number * (_SERIES // _USED))
    labels = [
        {
            "http_request_method": "GET",
            "http_route": f"/v1/resources/{number}/{{id}}",
            "network_protocol_version": "1.1",
            "status_class": "2xx",
        }
        for number in range(_SERIES)
    ]
    metrics.add_histogram(
        "http_server_request_duration_seconds", Distribution(durations, labels, 1_000_000_000)
    )
    return metrics.render
