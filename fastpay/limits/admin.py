"""Bounds of the operator's listener and of the console."""

# The operator's listener.
admin_connections_max = 32
loop_lag_interval_ms = 250

# The console. People sign in with a password and a code; failures from this number on lock for a while.
operator_name_chars_max = 100
password_chars_min = 12
password_chars_max = 200
invitation_ms = 24 * 3_600_000
sign_ins_waiting_max = 8
# Of one operator.
passkeys_max = 20
passkey_name_chars_max = 60
# How long a page may be open before its passkey is asked for.
challenge_ms = 10 * 60_000
# For how long a password with a code, or a passkey, lets an operator change how operators sign in.
proof_ms = 15 * 60_000
# Of what a browser says it is.
agent_chars_max = 200
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
# A search over all tenants asks so many at most, and begins no other one after this time.
console_search_tenants_max = 500
console_search_ms = 2_000
operator_detail_chars_max = 2_000
# Rows that are read at a time for a file.
audit_export_rows = 500
console_samples_max = 120
console_sample_ms = 900
history_rows_max = 1_000
history_attempts_max = 500
# A payment's timeline has balances by itself unless more was moved since. It looks for that from so long
# before it: transfers are posted later than their identifiers say, but by less.
history_transfers_max = 50_000
history_margin_ms = 60_000
# A command on one payment has no more events than these.
command_events_max = 16
