"""How long requests to webhook endpoints take, by what came of them."""

from typing import get_args

from fastpay._native.histograms import Histograms
from fastpay.engine.relay.ports import DeliveryOutcome, Failure
from fastpay.observability.buckets import DURATION_BOUNDS_NS

_CLASSES = tuple(f"{number}xx" for number in range(1, 6))
_FAILURES: tuple[str, ...] = get_args(Failure)
_SERIES = {name: index for index, name in enumerate((*_CLASSES, *_FAILURES))}

# A process has one set, as it has one log.
DELIVERIES_NS = Histograms(DURATION_BOUNDS_NS, len(_SERIES))
# Source: OpenTelemetry, semantic conventions, "HTTP Metrics". An address is no label: clients choose it.
LABELS = tuple(
    {"http_request_method": "POST", "status_class": name}
    if name in _CLASSES
    else {"http_request_method": "POST", "error_type": name}
    for name in _SERIES
)


def count(outcome: DeliveryOutcome, duration_ns: int) -> tuple[str, ...]:
    """Count one request; return the labels. What has no status that HTTP knows counts as malformed."""
    name = outcome.failure if outcome.status is None else f"{outcome.status // 100}xx"
    series = _SERIES.get(name or "", _SERIES["malformed"])
    DELIVERIES_NS.observe(duration_ns, series)
    return tuple(LABELS[series].values())
