"""fastpay/observability/exemplars.py"""

from fastpay import limits
from fastpay._native.histograms import Histograms
from fastpay.observability.buckets import DURATION_BOUNDS_NS
from fastpay.observability.counters import Counters
from fastpay.observability.exemplars import Exemplars
from fastpay.observability.metrics import Distribution, Metrics

_NAME = "http_server_request_duration_seconds"
_LABELS = {"http_route": "/v1/refunds"}


def test_a_bucket_shows_the_last_trace_in_it_and_only_in_openmetrics() -> None:
    exemplars, histogram = Exemplars(), Histograms(DURATION_BOUNDS_NS, 1)
    metrics = Metrics(Counters())
    distribution = Distribution(histogram, [_LABELS], 1_000_000_000, exemplars.of)
    metrics.add_histogram(_NAME, distribution)
    for trace_id, duration_ns in ((1, 250_000), (2, 300_000), (3, 500_000), (4, 11 * 10**9)):
        histogram.observe(duration_ns)
        trace = trace_id.to_bytes(16, "big")
        exemplars.add([(("/v1/refunds",), trace, duration_ns, 1_790_000_000 * 10**9)])
        exemplars.add([(("/v1/other",), bytes(16), duration_ns, 0)])
    lines = [line for line in metrics.render(openmetrics=True).decode().splitlines() if " # " in line]
    shown = [line.partition('le="')[2] for line in lines]
    assert shown == [
        f'0.00025"}} 1 # {{trace_id="{1:032x}"}} 0.00025 1790000000.000',
        f'0.0005"}} 3 # {{trace_id="{3:032x}"}} 0.0005 1790000000.000',
        f'+Inf"}} 4 # {{trace_id="{4:032x}"}} 11.0 1790000000.000',
    ]
    assert b" # " not in metrics.render()


def test_what_no_scrape_looks_at_is_bounded() -> None:
    exemplars, series = Exemplars(), ("/v1/refunds",)
    for number in range(limits.trace_exemplar_batches_kept + 1):
        exemplars.add([(series, bytes([number]), DURATION_BOUNDS_NS[min(number, 1)], 0)])
    assert [one.trace_id for one in exemplars.of(series).values()] == [bytes([number])]
