"""Bounds of webhooks: endpoints, attempts, and the relay that delivers events."""

# Endpoints, and attempts to deliver to them.
webhook_endpoints_max = 100
webhook_secrets_max = 4
webhook_overlap_s_max = 86_400
webhook_headers_max = 16
webhook_targets_kept = 10_000
webhook_requests_per_second_max = 10_000
webhook_timeout_ms = 20_000
webhook_connect_timeout_ms = 5_000
webhook_connections_max = 1_024
webhook_endpoint_connections_max = 128
# Below the 5 s after which the receivers of one large runtime close an idle connection.
webhook_idle_connection_ms = 4_000
webhook_answer_bytes_max = 65_536
webhook_excerpt_bytes_max = 1_024
# Informational answers (RFC 9110 15.2) before the one that counts.
webhook_informational_max = 8
webhook_retry_after_s_max = 86_400
webhook_resolved_ms = 10_000
# Names that are looked up at the same time: more than one tenant has endpoints, in both of its modes.
webhook_lookups_max = 256
webhook_addresses_max = 16
# `fastpay doctor` notes an event that an enabled endpoint has not acknowledged for so long.
webhook_delay_noted_s = 60

# The relay: deliveries of events. An instance that has not renewed its row for `relay_lease_ms` may be
# succeeded by another.
relay_beat_ms = 500
relay_lease_ms = 5_000
relay_claim_max = 500
# Others have the endpoints of an instance that is lost, and of one that stops, within these times.
relay_takeover_ms = 10_000
relay_handover_ms = 1_000
# How long attempts in flight may take to end when the instance stops.
relay_grace_ms = 400
relay_page_events = 100
# Events of one endpoint above its position, and its exceptions.
relay_line_max = 512
relay_exceptions_max = 1_000
# How often the stored exceptions of an endpoint change before they are written anew.
relay_generation_changes_max = 4_000
# Attempts in flight: of all endpoints, and of one; retries get this share of an endpoint's window.
relay_in_flight_max = 1_024
relay_window_start = 8
relay_window_max = 128
relay_retries_share = 4
relay_burst_ms = 100
# Failures in a row that open the circuit of an endpoint, and the pauses between probes.
relay_circuit_failures = 5
relay_probe_ms = 5_000
relay_probe_max_ms = 300_000
relay_disable_ms = 3 * 86_400_000

# Replays of one endpoint: attempts in flight, events of a page, and attempts for each event. All replays of
# an instance together: deliveries a second less the live ones, but never fewer than the minimum.
relay_replay_window = 8
relay_replay_page_events = 10
relay_replays_per_second = 1_000
relay_replays_per_second_min = 100
relay_replay_attempts = 3
# While live events of an endpoint wait, so many of them are begun for one of its replay.
relay_live_per_replayed = 8

# How long results are gathered before they are stored, at a peak as well, and how many may wait for that.
relay_gather_ms = 20
relay_gather_busy_ms = 250
relay_retry_ms = 250
relay_unrecorded_max = 10_000

# Deliveries give way to payments while the thread wants a processor for this share of the time, and commits
# have so many events: down to one delivery for so many events, and a minimum. Beyond the maximum their rate
# has no bound.
relay_look_ms = 20
relay_demand_max = 0.5
relay_peak_events = 72
relay_events_per_delivery = 50
relay_peak_per_second_min = 20
relay_peak_per_second_max = 20_000
# The share by which the rate grows at each look that finds time.
relay_peak_growth = 4
# Failures to store in a row that may be the beginning of an outage, and are not logged.
relay_failures_quiet = 8
relay_pause_ms = 1_000
relay_timer_max_ms = 60_000
relay_partitions_ms = 3_600_000
webhook_attempt_days = 30
webhook_attempt_days_max = 365

assert relay_grace_ms + relay_beat_ms < relay_handover_ms
assert relay_replay_page_events <= relay_page_events
assert relay_replays_per_second_min <= relay_replays_per_second
assert relay_page_events < relay_line_max < relay_exceptions_max
assert 2 * relay_exceptions_max < relay_generation_changes_max
assert relay_window_start <= relay_window_max <= relay_in_flight_max <= webhook_connections_max
assert relay_window_max <= webhook_endpoint_connections_max
assert relay_probe_ms <= relay_probe_max_ms < relay_disable_ms
assert 0 < relay_peak_per_second_min < relay_peak_per_second_max
assert relay_look_ms < relay_beat_ms
assert relay_gather_ms < relay_gather_busy_ms < relay_beat_ms
assert relay_page_events + relay_window_max < relay_line_max // 2
assert 2 * webhook_endpoints_max < webhook_lookups_max
assert webhook_attempt_days <= webhook_attempt_days_max
