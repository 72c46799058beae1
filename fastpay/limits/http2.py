"""Bounds of HTTP/2."""

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
# The oldest libnghttp2 whose HPACK the tests compare with h2's.
nghttp2_version_min = (1, 52, 0)

assert http2_ahead_bytes < http2_window_bytes
assert http2_credit_bytes + http2_ahead_bytes < http2_window_bytes
assert http2_streams_max < http2_closed_streams_max
