"""Every bound of the program. Relations between bounds are asserted at the end of the file."""

# Requests
body_bytes_max = 1_048_576
publishable_body_bytes_max = 524_288
# Requests with a longer body take turns, and the body is read in pieces.
short_body_bytes = 65_536
form_fields_max = 1_000
form_depth_max = 6
json_depth_max = 32
json_values_max = 1_000
target_bytes_max = 8_192
header_count_max = 64
header_bytes_max = 16_384
idempotency_key_chars_max = 255
signature_tolerance_s = 300
signature_header_bytes_max = 2_048
signature_candidates_max = 16
expand_paths_max = 20
expand_depth_max = 4
# Objects of a response that are assembled in one turn of the event loop.
expanded_at_once_max = 64
encoded_at_once_bytes = 262_144
# Browsers that follow the standard keep the answer to a preflight for two hours at most.
preflight_max_age_s = 7_200
# How long the page for a cardholder's authentication is valid.
challenge_valid_s = 24 * 3_600
challenge_token_chars_max = 400
challenge_body_bytes_max = 1_024
# Rows of expanded lists that one statement reads: a page of objects with a page in each.
sublist_rows_max = 1_100
param_chars_max = 200
# How many wrong names an error message lists, and the longest name for which it suggests another.
listed_names_max = 5
compared_chars_max = 64
received_chars_max = 60
# A response that fits into one packet does not arrive earlier for being shorter.
encoded_bytes_min = 1_400
encoded_bytes_max = 1 << 20
accept_encoding_chars_max = 256
accept_encodings_kept = 256

# Objects
amount_min = 1
amount_max = 99_999_999
# The most that each of an account's four counters may reach; reserved amounts count as moved.
ledger_counter_max = 10**18
metadata_keys_max = 50
metadata_key_chars_max = 40
metadata_value_chars_max = 500
page_size_default = 10
page_size_max = 100
# Pages that a list reads on to leave out what is of another type.
filtered_pages_max = 20
text_chars_max = 5_000
# One text of evidence, and all texts of a dispute together.
evidence_text_chars_max = 20_000
evidence_chars_max = 150_000
name_chars_max = 256
email_chars_max = 512
phone_chars_max = 40
descriptor_chars_max = 22
# Captures of one payment, and increments of its authorization.
captures_max = 50
increments_max = 10
line_items_max = 200
confirmation_token_s = 12 * 3600  # a confirmation token can be used
ip_address_chars_max = 45  # of IPv6 with IPv4 inside
url_chars_max = 2_048
identifier_chars_max = 255
balance_max = 10**12
ledger_code_chars_max = 100
ledger_batch_transfers_max = 8_190
# How many times larger the body of a batch may be.
ledger_batch_body_factor = 4
ledger_transfer_values_max = 12
ledger_piece_values_min = 4_096
second_max = 253_402_300_799  # the last second of the year 9999
locales_max = 10
magic_cards_kept = 4_096
fee_basis_points_max = 10_000
tenant_name_chars_max = 100
# How long an old key or secret can stay valid beside its successor.
overlap_hours_max = 24 * 365
funds_delay_days = 2
funds_delay_days_max = 365
payout_intervals = ("manual", "daily", "weekly", "monthly")
charge_disputes_max = 10
# Payments of a customer that wait for bank transfers: a transfer loads them all.
cash_waiting_max = 50
# Until what happens later in test mode happens.
test_delay_s = 5
test_delay_s_max = 86_400
card_number_digits_min = 13
card_number_digits_max = 19
card_number_separators_max = 2
fingerprint_keys_kept = 4_096
payment_method_types_max = 10
search_query_chars_max = 1_000
search_clauses_max = 20
search_token_chars_max = 100

# Events. Numbers of the sequence that one statement looks at, and that a page of `after_sequence` covers, at
# most; and how many statements another page of a list takes.
event_types_max = 20
event_numbers_examined_max = 10_000
event_scans_max = 32
# Streams of events: the clients that follow, and the bytes that are kept for them until they are sent.
followers_tenant_max = 1_024
followers_max = 4_096
feed_bytes_max = 1 << 20
feeds_bytes_max = 64 << 20
feed_heartbeat_ms = 15_000
# How long a client waits before it follows again.
feed_reconnect_ms = 2_000
# After so long without a heartbeat our own client comes back.
feed_silence_ms_max = 60_000
feed_poll_ms = 1_000
feed_retry_ms = 1_000
# How many followers are woken in one turn of the loop; the pause after all were, also as a multiple of what
# that took.
feed_wakes_at_once = 64
feed_pause_ms = 20
feed_pause_ratio = 19
feed_pause_max_ms = 1_000

# Search. Beyond the tail a search advances the index itself, by at most this many batches.
search_total_max = 10_000
search_tail_max = 500
search_batch_events = 256
search_batches_max = 64
search_recent_entries = 256
search_step_entries = 4_096
search_examined_max = 65_536
search_candidates_max = 4_096
search_candidates_step = 256
search_statement_timeout_ms = 2_000
search_interval_ms = 5_000
search_pause_ms = 250
search_scopes_max = 100
search_visit_batches_max = 100
search_backlog_max = 200_000

# Memory
entropy_blocks_drawn = 256
young_objects_max = 10_000

# Engine
batch_commands_max = 512
charts_kept = 16_384
queued_commands_max = 8_192
# A plain command weighs 1, a batch of transfers as much as it has transfers.
batch_weight_max = 8_192
queued_weight_max = 262_144
queue_wait_ms_max = 2_000
# While two tenants are active, each has at most this many requests in progress; more wait.
contended_requests_max = 4
tenant_waiting_max = 4_096
tenant_wait_ms_max = 2_000
contended_ms = 1_000
# Requests with long bodies: how many are read and processed at a time, and how many bytes may wait for that.
long_requests_max = 12
long_requests_tenant_max = 3
long_waiting_bytes_max = 256 << 20
long_waiting_bytes_tenant_max = 64 << 20
fair_debts_forgotten_min = 1_024
client_timeout_ms_max = 86_400_000
# Commands that are decided at once, with nothing else running meanwhile.
decided_at_once_max = 128
# Transfers or accounts of a batch that take less than a millisecond. After such a step the batch gives way:
# while other tenants have requests in progress, for up to this many times the duration of the step.
transfers_at_once_max = 128
give_way_ratio = 4
# Rows of a batch that one statement writes while two tenants are active; otherwise one statement writes
# all.
transfers_a_statement_max = 128
# Heavier commands go to the bulk writer, and so does everything that their tenant sends meanwhile.
plain_weight_max = 64
plain_batch_weight_max = 512
# Batches that are decided under the lock after a conflict with another instance.
locked_batches = 16
# Tenants whose book another instance holds: how many of them a sweep tries at once, up to which attempt its
# backoff grows, how many of them wait for their books, and how long before it is the next one's turn.
swept_books_max = 512
sweep_attempts_max = 3
book_waits = 2
book_wait_ms = 250
# How long such a tenant is left to the lanes after the last sign that others write to it, and how many are.
contention_believed_ms = 200
contended_scopes_max = 4_096
working_set_entries_max = 32_768
# What a command adds for each unit of its weight: objects, accounts and keys.
working_set_entries_a_weight = 16
accounts_carried_max = 256
# How long keys are looked up ahead after a start, and after a key turned out to be used before.
keys_doubted_ms = 3_000
# Shorter than first answers are kept in the database.
first_answer_carried_ms = 3_600_000
prefetch_timeout_ms = 1_000
gather_gap_us = 500
gather_us_max = 20_000
prefetch_rounds_max = 4
commit_attempts_max = 6
commit_backoff_ms = 5
commit_backoff_max_ms = 400

# Homes. A member whose row was not renewed for so long is gone.
member_alive_ms = 4_000
members_max = 64
forwards_waiting_max = 8_192
# A larger command is written by the instance that got it. A frame has several commands, which are not larger
# together.
forwarded_bytes_max = 4 << 20
home_frame_bytes_max = 64 << 20
home_buffer_bytes = 4 << 20
# How long an answer is waited for, and how long a sign of life, which is asked for in such steps.
home_answer_ms = 2_500
home_silence_ms = 500
home_check_ms = 100
# How long after it was sent an answer is still listened for: as long as a home can take that is not gone.
home_late_answer_ms = 10_000
# How long a tenant is refused after its home found its line too long.
home_refusal_ms = 50
# How long commits of a tenant are told to an instance that forwards nothing of it any more, and how long they
# wait for others that go the same way: commits that changed what it may hold, and those of new objects only.
home_interest_ms = 10_000
home_notice_ms = 5
home_notice_of_new_ms = 50
home_connect_timeout_ms = 1_000
home_backoff_ms = 50
home_backoff_max_ms = 1_000

# Reading
read_staleness_ms = 1_000
read_staleness_ms_max = 60_000
cache_bytes_max = 64 << 20
negative_cache_ms = 1_000
creation_ms_max = 120_000
cached_scopes_max = 20_000
batch_reads_max = 1_000
# Few, so that what is missed on a busy machine is read together: a statement costs as much as three reads.
batch_reads_at_once = 2
gathered_reads_max = 16_384
announcement_objects_max = 1_000
announcements_waiting_max = 1_024
redis_timeout_ms = 50
# A connection that lasted so long was a good one: the next is tried at once.
redis_stable_ms = 10_000
redis_ping_interval_ms = 5_000
redis_commands_max = 4_096
redis_reply_bytes_max = 64 << 20
copy_bytes_max = 64 << 10
copy_lifetime_ms = 3_600_000
copies_at_once_max = 256
copies_waiting_max = 16_384
copies_gap_ms = 5
# Of 1,024 copies that are looked for, so many must be there for it to be worth looking for all.
copies_worth_min = 64
redis_backoff_ms = 100
redis_backoff_max_ms = 2_000

# Housekeeping
housekeeping_interval_ms = 600_000
# A block has at most some fifty rows. Steps take up to a twentieth of the time, and a sweep over rows that
# may not be deleted yet reads little more than a megabyte a second.
purge_blocks_max = 16
purge_pause_ms = 100
purge_pause_factor = 20
expiry_interval_ms = 1_000
expiry_rows_max = 500
# Books that are examined for funds in one round, and the transfers that one command releases.
funds_interval_ms = 1_000
funds_books_max = 500
funds_transfers_max = 256
funds_pages_max = 20
# Transfers that are examined for a page of what a payout paid out.
payout_page_rows = 500
payout_pages_max = 20

# Store
reader_connections_max = 8
key_connections_max = 1
queued_reads_max = 2_048
scan_connections_max = 6
# Verifications get one of this many connections for scans.
verifications_share = 3
tenant_lists_waiting_max = 512
tenant_searches_waiting_max = 32
tenant_verifications_waiting_max = 4
# The connection that monitors the database.
probe_connections = 1
# The plain writer and the bulk writer each commit on one connection and prefetch on another. Their lanes open
# three more each, once another instance holds a book.
writer_connections = 10
scan_wait_timeout_ms = 1_000
# On the server's side, so that a slow statement gets an error before its client gives up.
read_statement_timeout_ms = 2_250
statement_timeout_ms = 4_500
lock_timeout_ms = 4_000
idle_in_transaction_timeout_ms = 2_000
verify_timeout_ms = 60_000
connect_timeout_ms = 5_000
# After which an unused connection for reads is closed.
database_idle_ms = 300_000
# The longest time that an operator's command waits for the database.
operator_timeout_ms = 30_000
farewell_timeout_ms = 1_000

# Deadlines of requests. They hold whatever hangs: a full pool, a connection, a frozen server. A read: its
# API key is looked up, then it is answered.
key_timeout_ms = 1_500
read_timeout_ms = 2_500
read_answer_timeout_ms = 4_000
# A write: its API key, its turn, its batch, and the outcome of a COMMIT without a reply.
begin_timeout_ms = 3_000
commit_timeout_ms = 5_000
resolve_timeout_ms = 2_000
write_answer_timeout_ms = 11_500
deadline_check_ms = 250
# After a failed batch of reads, further reads fail at once for this long.
failed_reads_ms = 100

# Dependencies
probe_interval_ms = 1_000
probe_timeout_ms = 2_000
# A readiness that was checked longer ago is not trusted.
readiness_stale_ms = 10_000
outage_reminder_ms = 60_000
# The most losses of one dependency that are logged within `outage_reminder_ms`.
outage_lines_max = 5
# PostgreSQL needs space for some segments of its log, of 16 MiB each.
disk_free_bytes_min = 64 << 20

# Process
drain_timeout_ms = 3_000
stop_timeout_ms = 5_000
stop_reserve_ms = 700
idempotency_retention_hours_min = 24
key_cache_ms = 2_000
known_keys_max = 10_000
absent_keys_max = 16_384
# Look-ups of unknown API keys: see `store/key_lookups.py`.
key_lookups_batch_max = 256
key_lookups_gap_ms = 10
key_lookups_waiting_max = 2_048
key_lookups_suspects_max = 8
key_failures_burst = 100
key_failures_per_second = 10
key_failure_groups_max = 16_384
signing_secrets_max = 4
sealing_keys_max = 16
sealing_file_bytes_max = 65_536
sealing_rows_max = 100
open_files_min = 4_096
clock_skew_ms_max = 2_000
# An instance whose own clock differs by more refuses writes. Below that, `fastpay doctor` reports it.
clock_refused_ms = 10_000
clock_refused_ms_max = 3_600_000
clock_interval_ms = 1_000
clock_reading_ms_max = 100
clock_report_interval_ms = 60_000
# After the database's clock went back, new identifiers stay above earlier ones by at most this much.
identifiers_ahead_ms_max = 1_000
free_bytes_min = 1 << 30
migration_wait_ms = 120_000
address_probe_timeout_ms = 1_000
embedded_start_timeout_ms = 60_000
# How often a start inspects the database while connections are lost, and how long after each time.
start_attempts_max = 30
start_retry_ms = 100
embedded_stop_timeout_ms = 4_000
embedded_restarts_max = 5
embedded_restarts_window_ms = 600_000
embedded_log_bytes_max = 16 << 20
socket_path_bytes_max = 100
redis_memory_bytes_max = 128 << 20
trace_flush_timeout_ms = 500
trace_export_interval_ms = 1_000
trace_export_spans_max = 512
# The ceiling of traces, and what holds their spans until the next export.
traces_per_second_max = 100
trace_ring_spans = 4_096
trace_reservoir_spans = 64
trace_slow_ms = 1_000
log_value_chars_max = 500

# Calls to others, where the caller has no bound of its own
outbound_connections_max = 100
outbound_answer_bytes_max = 1 << 20
outbound_timeout_ms = 30_000
outbound_head_line_bytes_max = 1 << 16

# Webhooks
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
webhook_retry_after_s_max = 86_400
webhook_resolved_ms = 10_000
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
# How long results are gathered before they are stored, and how many may wait for that.
relay_gather_ms = 20
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
# Failures to store in a row that may be the beginning of an outage, and are not logged.
relay_failures_quiet = 8
relay_pause_ms = 1_000
relay_timer_max_ms = 60_000
relay_partitions_ms = 3_600_000
webhook_attempt_days = 30
webhook_attempt_days_max = 365

# The request log: notes that wait, notes of a batch, and notes that are described in one turn of the loop.
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

# Demo
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
# Transport
connections_max = 18_000
connection_requests_max = 1_000_000
# The bytes of all requests and responses in flight. Every connection counts as the least that opens a
# holding.
inflight_bytes_max = 256 << 20
inflight_bytes_min = 8 << 20
holding_bytes_min = 4_096
accounts_looked_at_max = 64
stalled_ms = 500
surge_bytes_min = 8 << 20
trim_interval_ms = 1_000
# For each client address. One may hold half of all connections.
address_connections_per_second = 1_000
address_handshakes_max = 512
address_handshakes_per_second = 200
addresses_known_max = 16_384
refusals_answered_per_second = 100
refusals_logged_ms = 60_000
ahead_bytes_max = 65_536
linger_bytes_max = 1_048_576
tick_ms = 250
head_timeout_ms = 10_000
body_timeout_ms = 30_000
idle_timeout_ms = 75_000
write_timeout_ms = 20_000
linger_timeout_ms = 1_500
tls_handshake_timeout_ms = 10_000
tls_shutdown_timeout_ms = 1_000
accept_backlog = 4_096
accept_retry_ms = 1_000
# The maximum on most systems (net.core.wmem_max); the kernel doubles it for its own needs.
send_buffer_bytes = 212_992
write_buffer_high_bytes = 65_536
write_buffer_low_bytes = 16_384
reserved_files = 256
cancel_timeout_ms = 500
# The operator's listener.
admin_connections_max = 32
loop_lag_interval_ms = 250
# The console. People sign in with a password and a code; failures from this number on lock for a while.
operator_name_chars_max = 100
password_chars_min = 12
password_chars_max = 200
invitation_ms = 24 * 3_600_000
sign_ins_waiting_max = 8
sign_in_failures_max = 5
sign_in_lock_ms = 30_000
sign_in_lock_ms_max = 15 * 60_000
# A session ends when it was not used for so long, and in any case at that age.
console_idle_ms = 30 * 60_000
console_session_ms = 12 * 3_600_000
console_form_bytes_max = 8_192
console_connections_max = 2
# Of what a form names, in its path.
console_name_chars_max = 80
console_rows_max = 50
console_replays_max = 10
operator_detail_chars_max = 2_000
console_samples_max = 120
console_sample_ms = 900
history_rows_max = 1_000
history_attempts_max = 500
# A command on one payment has no more events than these.
command_events_max = 16
http2_streams_max = 128
# This many streams are covered by what their connection counts for.
http2_streams_uncounted = 8
http2_window_bytes = 65_535
http2_ahead_bytes = 32_768
http2_send_bytes_max = 65_536
http2_control_burst = 200
http2_control_per_second = 100
http2_reset_burst = 100
http2_reset_per_second = 20
http2_continuations_max = 8
http2_small_frame_bytes = 64
# A sent DATA frame below this size pays for no WINDOW_UPDATE. A stream's window is given back in such
# steps.
http2_paid_frame_bytes = 1_024
http2_credit_bytes = 8_192
http2_frame_bytes_max = 16_384
http2_check_ms = 1_000
# The table that compresses fields of responses, and the ended streams that a connection remembers.
http2_table_bytes_max = 4_096
http2_closed_streams_max = 1_024

assert batch_commands_max <= queued_commands_max
assert clock_interval_ms + read_timeout_ms < member_alive_ms
assert home_check_ms < home_silence_ms < home_answer_ms < begin_timeout_ms
assert begin_timeout_ms + commit_timeout_ms + resolve_timeout_ms <= home_late_answer_ms
# What the home refuses as late, it refuses before it is given up.
assert queue_wait_ms_max < home_answer_ms
assert body_bytes_max * ledger_batch_body_factor <= forwarded_bytes_max < home_frame_bytes_max
assert home_backoff_ms <= home_backoff_max_ms
assert home_notice_ms <= home_notice_of_new_ms < read_staleness_ms
assert batch_commands_max <= batch_weight_max <= queued_weight_max
assert queued_commands_max <= queued_weight_max
assert first_answer_carried_ms < idempotency_retention_hours_min * 3_600_000
assert prefetch_timeout_ms < lock_timeout_ms
assert accounts_carried_max < working_set_entries_max
assert decided_at_once_max <= batch_commands_max
assert plain_weight_max <= plain_batch_weight_max <= batch_weight_max >= ledger_batch_transfers_max
assert short_body_bytes < publishable_body_bytes_max <= body_bytes_max
assert body_bytes_max * ledger_batch_body_factor <= long_waiting_bytes_tenant_max < long_waiting_bytes_max
assert gather_gap_us <= gather_us_max
assert search_statement_timeout_ms < lock_timeout_ms
assert search_recent_entries <= search_step_entries <= search_examined_max
assert search_candidates_step <= search_candidates_max <= search_examined_max
assert search_batch_events <= search_tail_max <= search_backlog_max
assert page_size_max <= search_recent_entries
assert page_size_max < event_numbers_examined_max
assert followers_tenant_max <= followers_max
assert feed_bytes_max <= feeds_bytes_max
assert feed_pause_ms <= feed_pause_max_ms
assert idle_in_transaction_timeout_ms < lock_timeout_ms
assert statement_timeout_ms <= verify_timeout_ms
assert commit_backoff_ms <= commit_backoff_max_ms
assert reader_connections_max <= queued_reads_max
assert scan_connections_max >= 2
assert tenant_lists_waiting_max < queued_reads_max
assert batch_reads_at_once < reader_connections_max
assert batch_reads_max <= gathered_reads_max
assert read_staleness_ms <= read_staleness_ms_max
# Identifiers that run ahead must still be within the tolerance of the database's time.
assert identifiers_ahead_ms_max < clock_skew_ms_max <= clock_refused_ms <= clock_refused_ms_max
assert clock_reading_ms_max < clock_skew_ms_max
assert queue_wait_ms_max + statement_timeout_ms < creation_ms_max
assert known_keys_max <= cached_scopes_max
assert key_lookups_batch_max <= key_lookups_waiting_max
assert key_lookups_gap_ms < key_timeout_ms
assert announcements_waiting_max <= redis_commands_max
assert redis_backoff_ms <= redis_backoff_max_ms
assert redis_timeout_ms < redis_backoff_max_ms < redis_stable_ms
assert redis_timeout_ms < redis_ping_interval_ms
assert copies_at_once_max <= copies_waiting_max
assert copy_bytes_max * batch_reads_max <= redis_reply_bytes_max
assert redis_timeout_ms < copy_lifetime_ms
assert signing_secrets_max <= signature_candidates_max
assert key_timeout_ms + read_timeout_ms <= read_answer_timeout_ms
assert search_statement_timeout_ms < read_statement_timeout_ms < read_timeout_ms
assert scan_wait_timeout_ms < read_timeout_ms
assert key_timeout_ms + begin_timeout_ms + commit_timeout_ms + resolve_timeout_ms <= write_answer_timeout_ms
assert lock_timeout_ms < statement_timeout_ms < commit_timeout_ms
assert writer_connections == 2 * (2 + 1 + book_waits)
assert book_wait_ms < min(lock_timeout_ms, begin_timeout_ms)
assert queue_wait_ms_max <= begin_timeout_ms
assert prefetch_timeout_ms < begin_timeout_ms
assert deadline_check_ms < min(begin_timeout_ms, probe_interval_ms)
assert failed_reads_ms < read_timeout_ms
assert probe_interval_ms + probe_timeout_ms < readiness_stale_ms < outage_reminder_ms
assert encoded_bytes_min < encoded_bytes_max
assert page_size_default <= page_size_max < sublist_rows_max
assert amount_min <= amount_max < 2**53
assert test_delay_s <= test_delay_s_max
assert funds_delay_days <= funds_delay_days_max
assert text_chars_max <= evidence_text_chars_max <= evidence_chars_max < publishable_body_bytes_max
assert card_number_digits_min <= card_number_digits_max
# A balance is a difference of two counters, and the available amount one of three: both fit into a bigint.
assert balance_max + amount_max < ledger_counter_max < 2**63 // 4
assert signature_candidates_max * len("v1=," + 64 * "f") < signature_header_bytes_max
assert drain_timeout_ms + stop_reserve_ms < stop_timeout_ms
assert embedded_stop_timeout_ms < stop_timeout_ms
assert trace_flush_timeout_ms < stop_reserve_ms
assert demo_backoff_ms <= demo_backoff_max_ms
assert ahead_bytes_max <= body_bytes_max
assert header_bytes_max + target_bytes_max <= ahead_bytes_max
assert linger_timeout_ms < drain_timeout_ms
assert tick_ms < min(head_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms, linger_timeout_ms)
assert http2_ahead_bytes < http2_window_bytes
assert body_bytes_max * ledger_batch_body_factor <= inflight_bytes_min * 3 // 4
assert http2_credit_bytes + http2_ahead_bytes < http2_window_bytes
assert http2_streams_max < http2_closed_streams_max
assert write_buffer_low_bytes < write_buffer_high_bytes
assert relay_beat_ms + read_timeout_ms < relay_lease_ms
assert relay_lease_ms + relay_beat_ms + read_timeout_ms < relay_takeover_ms
assert relay_grace_ms + relay_beat_ms < relay_handover_ms
assert relay_replay_page_events <= relay_page_events
assert relay_replays_per_second_min <= relay_replays_per_second
assert relay_page_events < relay_line_max < relay_exceptions_max
assert relay_window_start <= relay_window_max <= relay_in_flight_max <= webhook_connections_max
assert relay_window_max <= webhook_endpoint_connections_max
assert relay_probe_ms <= relay_probe_max_ms < relay_disable_ms
assert 0 < relay_peak_per_second_min < relay_peak_per_second_max
assert relay_look_ms < relay_beat_ms
assert relay_page_events + relay_window_max < relay_line_max // 2
assert webhook_attempt_days <= webhook_attempt_days_max
assert request_log_turn_max <= request_log_batch_max <= request_log_queue_max
assert request_log_days <= request_log_days_max
assert request_log_integer_max <= 10 ** (card_number_digits_min - 1)
