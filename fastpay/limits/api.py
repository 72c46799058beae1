"""Bounds of requests and responses: bodies, headers, parameters, pages."""

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
# Values of Stripe-Version that were looked at: each client sends one with all of its requests.
versions_kept = 256
page_size_default = 10
page_size_max = 100
# Pages that a list reads on to leave out what is of another type.
filtered_pages_max = 20

assert short_body_bytes < publishable_body_bytes_max <= body_bytes_max
assert encoded_bytes_min < encoded_bytes_max
assert page_size_default <= page_size_max < sublist_rows_max
assert signature_candidates_max * len("v1=," + 64 * "f") < signature_header_bytes_max
