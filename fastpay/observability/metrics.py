"""The metrics of the process: their one table, and their text for Prometheus.

Nothing is computed before a scrape, and a scrape asks nobody else: it reads counts that are there.
docs/METRICS.md lists the same table. No label has a value that a client chooses.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple, Protocol

from fastpay.observability.counters import Counters
from fastpay.observability.exemplars import Exemplar, Series

Labels = Mapping[str, str]
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"


class Metric(NamedTuple):
    """One row of the table. The name of a counter is without `_total`; `counter` names it in `Counters`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    counter: str | None = None
    labels: tuple[str, ...] = ()


class Histogram(Protocol):
    """What counts values in buckets: `_native/histograms.pyx`."""

    bounds: tuple[int, ...]
    series: int

    def used(self) -> list[int]:
        """Return the series that have a value."""

    def read(self, series: int = 0) -> tuple[list[int], int]:
        """Return the count of each bucket, and the sum of all values."""


class Distribution(NamedTuple):
    """A histogram with the labels of its series, and what its values are divided by when shown.

    `exemplars` returns those of a series by the number of the bucket.
    """

    histogram: Histogram
    labels: Sequence[Labels] = ({},)
    divisor: int = 1
    exemplars: Callable[[Series], Mapping[int, Exemplar]] | None = None


Sample = tuple[str, Labels, int | float]


def _counted(prefix: str, kind: Literal["counter", "gauge"], rows: Mapping[str, str]) -> list[Metric]:
    return [Metric(f"fastpay_{prefix}{name}", kind, text, prefix + name) for name, text in rows.items()]


TABLE: tuple[Metric, ...] = (
    Metric(
        "http_server_request_duration_seconds",
        "histogram",
        "Time from the head of a request to the last byte of its answer",
        labels=("http_request_method", "http_route", "network_protocol_version", "status_class"),
    ),
    Metric(
        "db_client_operation_duration_seconds",
        "histogram",
        "Time of a statement at PostgreSQL",
        labels=("db_system_name", "db_query_summary", "error_type"),
    ),
    Metric(
        "http_client_request_duration_seconds",
        "histogram",
        "Time of a request to a webhook endpoint",
        labels=("http_request_method", "status_class", "error_type"),
    ),
    Metric("fastpay_connections", "gauge", "Open connections of clients", "connections"),
    Metric("fastpay_requests", "counter", "Requests that were passed to the application", "requests"),
    Metric("fastpay_refusals", "counter", "Requests that the transport refused", labels=("status",)),
    Metric("fastpay_batch_commands", "histogram", "Commands in a batch of the writer"),
    Metric("fastpay_commit_duration_seconds", "histogram", "Time of a batch at the database"),
    Metric("fastpay_queue_wait_seconds", "histogram", "Wait of a batch's oldest command before its commit"),
    Metric("fastpay_event_loop_lag_seconds", "histogram", "How late the event loop ran a timer"),
    Metric("fastpay_replays", "counter", "Writes answered again for an idempotency key", "replays"),
    Metric("fastpay_dependency_up", "gauge", "1 while it works", labels=("dependency",)),
    Metric("fastpay_dependency_lost_seconds", "gauge", "How long it has been lost", labels=("dependency",)),
    Metric("fastpay_dependency_free_bytes", "gauge", "Free bytes of the disk", labels=("dependency",)),
    Metric(
        "fastpay_pool_connections",
        "gauge",
        "Connections to PostgreSQL",
        labels=("pool", "state"),
    ),
    Metric(
        "fastpay_pool_connections_max",
        "gauge",
        "Connections that a pool may have",
        labels=("pool",),
    ),
    Metric(
        "fastpay_pool_waiting",
        "gauge",
        "Reads that wait for a connection",
        labels=("pool",),
    ),
    Metric("fastpay_queue_commands", "gauge", "Commands that wait for a batch", "queue_commands"),
    Metric("fastpay_ready", "gauge", "1 while requests can be served"),
    Metric("fastpay_gc_collections", "counter", "Runs of the garbage collector", labels=("generation",)),
    Metric("fastpay_gc_collected", "counter", "Objects that it freed", labels=("generation",)),
    Metric(
        "fastpay_clock_skew_seconds", "gauge", "How far the clock is ahead of the database's", "clock_skew_ms"
    ),
    *_counted(
        "reads_",
        "counter",
        {
            "process_hits": "Objects shown from the process's cache, to other instances too",
            "negative_hits": "Reads of objects that are known not to exist",
            "joined": "Reads that joined one in flight",
            "missed": "Reads of objects that were not in the cache",
            "turns": "Groups of reads that were missed together",
            "statements": "Statements for reads",
            "homes_shown": "Reads shown from the cache of the tenant's home",
            "copies_shown": "Reads shown from Redis",
            "copies_stale": "Copies in Redis that were too old",
            "replica": "Lists, searches and pages of events that the replica answered",
            "replica_passed_by": "Those that the primary answered although there is a replica",
        },
    ),
    *_counted("cache_", "gauge", {"entries": "Objects in the cache", "bytes": "Bytes in the cache"}),
    *_counted("cache_", "counter", {"evictions": "Objects that left the cache to make room"}),
    *_counted(
        "relay_",
        "gauge",
        {
            "endpoints": "Webhook endpoints that this instance delivers to",
            "endpoints_failing": "Of them, those that fail",
            "lag": "Events that the endpoint furthest behind has not acknowledged",
            "peak": "1 while deliveries give way to payments",
            "in_flight": "Deliveries in flight",
        },
    ),
    *_counted(
        "relay_",
        "counter",
        {
            "delivered": "Deliveries that were acknowledged",
            "failed": "Attempts to deliver that failed",
            "reads": "Reads of the log of events",
            "records": "Statements that stored outcomes",
            "claimed": "Endpoints taken over",
            "fenced": "Endpoints lost to another instance",
        },
    ),
    *_counted("legacy_", "gauge", {"in_flight": "Requests that the legacy API works on"}),
    *_counted("legacy_", "gauge", {"waiting": "Requests that wait for a connection to the legacy API"}),
    *_counted(
        "legacy_",
        "counter",
        {
            "passed": "Requests that the legacy API answered",
            "failed": "Requests to it without an answer",
            "repeated": "Requests sent again since a kept connection had ended",
        },
    ),
    *_counted(
        "shadow_",
        "counter",
        {
            "equal": "Answers of the legacy API that this server would have given, too",
            "differing": "Answers that it would not have given",
            "dropped": "Requests that were not compared, since others were",
            "uncompared": "Requests that could not be compared",
        },
    ),
    *_counted("rollout_", "counter", {"rollbacks": "Routes that a guardrail has rolled back"}),
    *_counted("rollout_", "counter", {"money_unchecked": "Answers of money not held against the book"}),
    Metric("fastpay_merged_duration_seconds", "histogram", "Time to merge an answer", labels=("outcome",)),
    *_counted("merged_", "counter", {"parts_asked": "Requests to the legacy API for merged answers"}),
    *_counted("rollout_", "counter", {"mistaken": "Answers of the legacy API with identifiers like ours"}),
    *_counted("processor_", "gauge", {"calls": "Calls to processors in flight"}),
    *_counted(
        "processor_",
        "counter",
        {
            "approved": "Calls that were approved",
            "declined": "Calls that were declined",
            "requires_action": "Calls after which the cardholder has to act",
            "pending": "Calls that the processor answers later",
            "refused": "Calls that the processor refused",
            "not_sent": "Calls of which no byte went out",
            "unknown": "Calls whose outcome is unknown",
        },
    ),
    *_counted("attempt_", "gauge", {"in_doubt": "Attempts of all instances whose outcome is not known"}),
    Metric("fastpay_in_doubt_amount", "gauge", "Their amounts, in the smallest unit", labels=("currency",)),
    *_counted(
        "attempt_",
        "counter",
        {
            "inquiries": "Inquiries about attempts that processors did not answer",
            "reviews": "Attempts that were left to a person",
        },
    ),
    *_counted(
        "notice_",
        "counter",
        {
            "received": "Webhooks of processors that were verified",
            "refused": "Webhooks of processors that nobody has signed",
        },
    ),
    *_counted("feeds_", "gauge", {"followers": "Open event streams", "kept_bytes": "Bytes kept for them"}),
    *_counted("feeds_", "counter", {"dropped": "Streams ended for being slow", "reads": "Reads for streams"}),
    *_counted(
        "homes_",
        "gauge",
        {"members": "Other instances that are connected", "active": "Instances that are homes of tenants"},
    ),
    *_counted(
        "homes_",
        "counter",
        {
            "forwarded": "Commands sent to their home",
            "served": "Commands of other instances",
            "local": "Commands decided here",
            "asked_again": "Commands whose outcome was looked up",
        },
    ),
    Metric("fastpay_homes_fallbacks", "counter", "Commands written here instead", labels=("reason",)),
    *_counted("lanes_", "gauge", {"tenants": "Tenants whose book another instance holds"}),
    *_counted(
        "lanes_",
        "counter",
        {
            "parked": "Times that a tenant had to wait for its book",
            "batches": "Batches of waiting tenants",
            "commands": "Commands in them",
            "in_vain": "Batches of them that got no book",
        },
    ),
    *_counted(
        "announcements_",
        "counter",
        {
            "sent": "Announcements of commits",
            "dropped": "Announcements dropped, Redis being away",
            "failures": "Connections for announcements that failed",
            "received": "Announcements of other instances",
            "refused": "Announcements that were malformed",
            "listening_failures": "Connections for listening that failed",
        },
    ),
    *_counted(
        "redis_",
        "counter",
        {
            "hits": "Copies found in Redis",
            "misses": "Copies not found in Redis",
            "copies_sent": "Copies sent to Redis",
            "copies_kept": "Copies that Redis has kept",
            "copies_dropped": "Copies dropped, too many being on their way",
            "copies_lost": "Copies lost on their way",
            "timeouts": "Requests to Redis that took too long",
            "breaker_openings": "Times that Redis was left alone for a while",
            "bytes_sent": "Bytes sent to Redis",
            "bytes_received": "Bytes received from Redis",
        },
    ),
    *_counted(
        "requests_",
        "counter",
        {
            "logged": "Requests in the request log",
            "not_logged": "Requests that the request log had no room for",
        },
    ),
    *_counted("request_log_", "counter", {"batches": "Batches of the request log"}),
    Metric("fastpay_redis_refused", "counter", "Copies that were not used", labels=("reason",)),
    *_counted(
        "traces_",
        "counter",
        {
            "exported_spans": "Spans that the collector has taken",
            "dropped_spans": "Spans that it did not take",
            "refused": "Traces that were not made, being above the ceiling of a second",
        },
    ),
    *_counted(
        "card_numbers_",
        "counter",
        {"allowed": "Card numbers found in texts and let through", "refused": "Card numbers refused"},
    ),
)
# Counts whose last part is a label: their prefix, and the metric.
_SPLIT = {
    "in_doubt_amount_": ("fastpay_in_doubt_amount", "currency"),
    "homes_fallbacks_": ("fastpay_homes_fallbacks", "reason"),
    "redis_refused_": ("fastpay_redis_refused", "reason"),
}
_BY_NAME = {metric.name: metric for metric in TABLE}
_BY_COUNT = {metric.counter: metric.name for metric in TABLE if metric.counter is not None}


class Metrics:
    """Everything that is measured in this process, from its parts' counters, histograms and states."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._distributions: dict[str, Distribution] = {}
        self._readers: list[Callable[[], Iterable[Sample]]] = []
        # The texts before the values of a series of a histogram: those of its buckets, its sum, its count.
        self._heads: dict[tuple[str, int], list[str]] = {}

    def add_histogram(self, name: str, distribution: Distribution) -> None:
        """Show a histogram under a name of the table."""
        assert _BY_NAME[name].kind == "histogram"
        self._distributions[name] = distribution

    def add_reader(self, read: Callable[[], Iterable[Sample]]) -> None:
        """Show what a function returns at each scrape: it must not wait for anything."""
        self._readers.append(read)

    def render(self, *, openmetrics: bool = False) -> bytes:
        """Return all metrics as text, in the format of Prometheus or in OpenMetrics."""
        samples: dict[str, list[tuple[Labels, int | float]]] = {}
        for name, labels, value in self._samples():
            samples.setdefault(name, []).append((labels, value))
        lines: list[str] = []
        for metric in TABLE:
            found = self._distributions.get(metric.name)
            if found is None and metric.name not in samples:
                continue
            lines += _heading(metric, openmetrics=openmetrics)
            if found is not None:
                lines += self._show_histogram(metric.name, found, openmetrics=openmetrics)
            suffix = "_total" if metric.kind == "counter" else ""
            lines += [
                f"{metric.name}{suffix}{_shown(labels)} {value}"
                for labels, value in samples.get(metric.name, ())
            ]
        if openmetrics:
            lines.append("# EOF")
        return "\n".join([*lines, ""]).encode()

    def _show_histogram(self, name: str, distribution: Distribution, *, openmetrics: bool) -> list[str]:
        histogram, lines = distribution.histogram, []
        for series in histogram.used() if histogram.series > 1 else (0,):
            heads = self._heads.get((name, series))
            if heads is None:
                heads = self._heads[name, series] = _heads_of(name, distribution, series)
            counts, total = histogram.read(series)
            exemplars: Mapping[int, Exemplar] = {}
            if openmetrics and distribution.exemplars is not None:
                exemplars = distribution.exemplars(tuple(distribution.labels[series].values()))
            below = list(accumulate(counts))
            shown = [head + str(count) for head, count in zip(heads, below, strict=False)]
            for bucket, exemplar in exemplars.items():
                shown[bucket] += f" {exemplar}"
            lines += shown
            lines.append(f"{heads[-2]}{_number(total / distribution.divisor)}")
            lines.append(f"{heads[-1]}{below[-1]}")
        return lines

    def _samples(self) -> Iterator[Sample]:
        for count, value in self._counters.read().items():
            if count in _BY_COUNT:
                yield _BY_COUNT[count], {}, value / 1000 if count.endswith("_ms") else int(value)
                continue
            prefix = next((one for one in _SPLIT if count.startswith(one)), None)
            # A test holds every count of a server against the table.
            assert prefix is not None, f"{count} is not in the table of metrics"
            name, label = _SPLIT[prefix]
            yield name, {label: count.removeprefix(prefix)}, value
        for read in self._readers:
            yield from read()


def _heading(metric: Metric, *, openmetrics: bool) -> list[str]:
    # OpenMetrics names the family of a counter without the suffix, the older format with it.
    name = metric.name + ("_total" if metric.kind == "counter" and not openmetrics else "")
    return [f"# HELP {name} {metric.help}.", f"# TYPE {name} {metric.kind}"]


def _heads_of(name: str, distribution: Distribution, series: int) -> list[str]:
    labels = distribution.labels[series]
    bounds = [*(_number(bound / distribution.divisor) for bound in distribution.histogram.bounds), "+Inf"]
    buckets = [f"{name}_bucket{_shown({**labels, 'le': bound})} " for bound in bounds]
    return [*buckets, f"{name}_sum{_shown(labels)} ", f"{name}_count{_shown(labels)} "]


def _number(value: float) -> str:
    # OpenMetrics wants the bounds of buckets as floats.
    return repr(float(value))


def _shown(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
