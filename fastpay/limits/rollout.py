"""Bounds of requests that are passed to the legacy API."""

# How long its answer may not go on: until its head, and between two pieces of its body.
legacy_timeout_ms = 30_000
legacy_connections_max = 256
# Shorter than any server keeps an idle connection, so that a request seldom meets the end of one.
legacy_idle_ms = 1_000
legacy_connect_ms = 2_000
# Requests that wait for a connection, and how long: as long as commands wait for their turn.
legacy_waiting_max = 1_024
legacy_wait_ms = 3_000
legacy_head_line_bytes_max = 16_384
legacy_head_fields_max = 128
legacy_informational_max = 8

# How often an instance asks for the states of the routes: a change takes effect within a second.
rollout_poll_ms = 500
rollout_purge_rows_max = 10_000

assert legacy_connect_ms < legacy_timeout_ms
