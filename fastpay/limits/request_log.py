"""Bounds of the request log."""

# Notes that wait, notes of a batch, and notes that are described in one turn of the loop.
request_log_queue_max = 8_192
request_log_batch_max = 512
request_log_turn_max = 16
# How long notes are gathered. After a turn the loop is left to requests for this many times as long.
request_log_gather_ms = 200
request_log_pause_factor = 3
# How often a batch is sent to a database that is there, and the pause between.
request_log_attempts_max = 10
request_log_retry_ms = 1_000
# A connection of its own, opened if requests are stored.
request_log_connections = 1
request_log_partitions_ms = 3_600_000
request_log_days = 7
request_log_days_max = 365
request_log_percent = 10
# What is kept of one request: of a body of so many bytes the parameters, and of texts so many characters.
request_log_body_bytes_max = 4_096
request_log_parameters_bytes_max = 4_096
request_log_elements_max = 100
# A shorter idempotency key may be a security code.
request_log_key_chars_min = 8
request_log_text_chars_max = 500
# Integers from here on may be card numbers, and are not kept.
request_log_integer_max = 10**12

assert request_log_turn_max <= request_log_batch_max <= request_log_queue_max
assert request_log_days <= request_log_days_max
