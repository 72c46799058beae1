"""Bounds of attempts: calls to processors, how long requests wait for them, and inquiries."""

# Calls that are in flight in one instance, of all tenants. Beyond that live payments are refused. A tenant
# may have so many times what is free: alone 10,800, and beside another one like it 5,684.
processor_calls_max = 12_000
processor_calls_free_factor = 9
# How long one call may take, and how long a request waits for the outcome before its client is told that the
# payment is processing.
processor_timeout_ms = 30_000
processor_timeout_ms_max = 300_000
processor_wait_ms = 10_000
processor_wait_ms_max = 60_000
# A request that waits sends the command with the outcome at the end of its wait at the latest. After so long
# that command has been carried out or never will be, and the first answer to the request's key is final.
final_answer_margin_ms = 30_000
# The first inquiry, in seconds after the attempt began, and the times from each inquiry to the next one as
# multiples of that: 5 s, then 30 s, 2 min, 10 min and 1 h.
processor_inquiry_s = 5
processor_inquiry_s_max = 3_600
inquiry_factors = (6, 24, 120, 720)
inquiries_at_once_max = 32
inquiry_timeout_ms = 10_000
processor_notice_bytes_max = 1 << 18
attempts_interval_ms = 500
attempts_rows_max = 100
doubt_interval_ms = 5_000
# How often, and how long apart, an outcome is written again that could not be written.
record_attempts_max = 8
record_retry_ms = 250
record_retry_ms_max = 30_000
# The test cards whose processor does not answer in order: when their requests are told `processing`, when an
# answer that is late comes, and when the first inquiry does, whatever the settings are.
rehearsal_wait_ms = 1_000
rehearsal_answer_ms = 2_000
rehearsal_inquiry_s = 4

assert processor_wait_ms <= processor_wait_ms_max
assert rehearsal_wait_ms < rehearsal_answer_ms < rehearsal_inquiry_s * 1000
