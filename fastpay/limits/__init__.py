"""Every bound of the program. A file has the bounds of one subject; all are read as `limits.NAME`.

A relation between bounds is asserted in their file, or here if they are in several.
"""

from fastpay.limits.admin import *
from fastpay.limits.api import *
from fastpay.limits.attempts import *
from fastpay.limits.deadlines import *
from fastpay.limits.demo import *
from fastpay.limits.domain import *
from fastpay.limits.events import *
from fastpay.limits.homes import *
from fastpay.limits.housekeeping import *
from fastpay.limits.http2 import *
from fastpay.limits.imports import *
from fastpay.limits.keys import *
from fastpay.limits.observability import *
from fastpay.limits.outbound import *
from fastpay.limits.process import *
from fastpay.limits.processors import *
from fastpay.limits.reads import *
from fastpay.limits.redis import *
from fastpay.limits.request_log import *
from fastpay.limits.rollout import *
from fastpay.limits.search import *
from fastpay.limits.server import *
from fastpay.limits.settlements import *
from fastpay.limits.store import *
from fastpay.limits.webhooks import *
from fastpay.limits.writes import *

assert clock_interval_ms + read_timeout_ms < member_alive_ms
assert expiry_interval_ms < due_looked_ms
assert clock_interval_ms < due_relieved_ms <= member_alive_ms
assert home_check_ms < home_silence_ms < home_answer_ms < begin_timeout_ms
assert begin_timeout_ms + commit_timeout_ms + resolve_timeout_ms <= home_late_answer_ms
assert home_late_answer_ms < history_margin_ms
# What the home refuses as late, it refuses before it is given up.
assert queue_wait_ms_max < home_answer_ms
assert body_bytes_max * ledger_batch_body_factor <= forwarded_bytes_max < home_frame_bytes_max
# Else what is confirmed twice in that time would expire before the commit is heard of.
assert home_notice_ms <= home_notice_of_new_ms <= read_staleness_ms // 4
assert first_answer_carried_ms < idempotency_retention_hours_min * 3_600_000
assert prefetch_timeout_ms < lock_timeout_ms
assert plain_weight_max <= plain_batch_weight_max <= batch_weight_max >= ledger_batch_transfers_max
assert body_bytes_max * ledger_batch_body_factor <= long_waiting_bytes_tenant_max < long_waiting_bytes_max
assert search_statement_timeout_ms < lock_timeout_ms
assert page_size_max <= search_recent_entries
assert page_size_max < event_numbers_examined_max
assert batch_reads_at_once < reader_connections_max
assert queue_wait_ms_max + statement_timeout_ms < creation_ms_max
assert known_keys_max <= cached_scopes_max
assert key_lookups_gap_ms < key_timeout_ms
assert announcements_waiting_max <= redis_commands_max
assert copy_bytes_max * batch_reads_max <= redis_reply_bytes_max
assert signing_secrets_max <= signature_candidates_max
assert search_statement_timeout_ms < read_statement_timeout_ms < read_timeout_ms
assert scan_wait_timeout_ms < read_timeout_ms
assert lock_timeout_ms < statement_timeout_ms < commit_timeout_ms
assert writer_connections == 2 * (2 + 1 + book_waits)
assert book_wait_ms < min(lock_timeout_ms, begin_timeout_ms)
assert queue_wait_ms_max <= begin_timeout_ms
assert prefetch_timeout_ms < begin_timeout_ms
assert deadline_check_ms < min(begin_timeout_ms, probe_interval_ms)
assert text_chars_max <= evidence_text_chars_max <= evidence_chars_max < publishable_body_bytes_max
assert trace_flush_timeout_ms < stop_reserve_ms
assert ahead_bytes_max <= body_bytes_max
assert header_bytes_max + target_bytes_max <= ahead_bytes_max
assert linger_timeout_ms < drain_timeout_ms
assert body_bytes_max * ledger_batch_body_factor <= inflight_bytes_min * 3 // 4
assert relay_beat_ms + read_timeout_ms < relay_lease_ms
assert outbound_lookup_ms < legacy_connect_ms
assert relay_lease_ms + relay_beat_ms + read_timeout_ms < relay_takeover_ms
assert request_log_integer_max <= 10 ** (card_number_digits_min - 1)
assert (
    begin_timeout_ms + commit_timeout_ms + resolve_timeout_ms + home_late_answer_ms < final_answer_margin_ms
)
