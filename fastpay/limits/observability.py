"""Bounds of traces and log lines."""

trace_flush_timeout_ms = 500
trace_export_interval_ms = 1_000
trace_export_spans_max = 512
# The ceiling of traces, and what holds their spans until the next export.
traces_per_second_max = 100
trace_ring_spans = 4_096
trace_reservoir_spans = 64
trace_slow_ms = 1_000
log_value_chars_max = 500
