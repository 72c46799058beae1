"""Bounds of traces and log lines."""

trace_flush_timeout_ms = 500
trace_export_interval_ms = 5_000
trace_export_interval_ms_max = 60_000
# A batch is encoded in one go, while the event loop waits: no more spans than take a millisecond.
trace_export_spans_max = 256
trace_templates_max = 4_096
# Batches that wait for a collector that is away, and how long after each failure the next attempt is.
trace_batches_kept = 16
trace_retry_ms_max = 60_000
trace_collector_timeout_ms = 10_000
trace_answer_bytes_max = 1 << 16
trace_clock_check_ms = 60_000
trace_clock_step_ms = 10
# Batches of exported requests that no scrape has looked at.
trace_exemplar_batches_kept = 128
# The ceiling of traces, and what holds their spans until the next export.
traces_per_second_max = 100
trace_ring_spans = 4_096
trace_reservoir_spans = 64
# Requests whose events are delivered in their traces.
trace_requests_remembered = 1_024
trace_slow_ms = 1_000
log_value_chars_max = 500
