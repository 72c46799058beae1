"""Bounds of the demo and the benchmark that the command line has."""

demo_payments_max = 100_000
demo_concurrency_max = 256
demo_duplicates = 5
demo_attempts_max = 8
demo_backoff_ms = 50
demo_backoff_max_ms = 2_000
demo_answer_timeout_ms = 30_000
demo_answer_bytes_max = 16 << 20
demo_faults_shown_max = 10
bench_concurrency_max = 10_000
bench_payments_known_max = 10_000

assert demo_backoff_ms <= demo_backoff_max_ms
