"""Bounds of objects, amounts and the ledger's batches."""

# Money.
amount_min = 1
amount_max = 99_999_999
# The most that each of an account's four counters may reach; reserved amounts count as moved.
ledger_counter_max = 10**18
balance_max = 10**12
fee_basis_points_max = 10_000
tenant_name_chars_max = 100
funds_delay_days = 2
funds_delay_days_max = 365
payout_intervals = ("manual", "daily", "weekly", "monthly")

# Texts and lists of an object.
metadata_keys_max = 50
metadata_key_chars_max = 40
metadata_value_chars_max = 500
text_chars_max = 5_000
# Of four bytes each, and in an index: PostgreSQL takes 2,704 bytes an entry.
transfer_group_chars_max = 500
# One text of evidence, and all texts of a dispute together.
evidence_text_chars_max = 20_000
evidence_chars_max = 150_000
name_chars_max = 256
email_chars_max = 512
phone_chars_max = 40
secret_number_chars_max = 40  # of a card, a bank account or a security code
descriptor_chars_max = 22
# Captures of one payment, and increments of its authorization.
captures_max = 50
# How much more than was authorized a capture may take, at most: the database has the same bound.
overcapture_percent_max = 20
increments_max = 10
line_items_max = 200
locales_max = 10
second_max = 253_402_300_799  # the last second of the year 9999
confirmation_token_s = 12 * 3600  # a confirmation token can be used
ip_address_chars_max = 45  # of IPv6 with IPv4 inside
url_chars_max = 2_048
identifier_chars_max = 255

# The general ledger's batches.
ledger_code_chars_max = 100
ledger_batch_transfers_max = 8_190
# How many times larger the body of a batch may be.
ledger_batch_body_factor = 4
ledger_transfer_values_max = 12
ledger_piece_values_min = 4_096

# Payments.
charge_disputes_max = 10
# Payments of a customer that wait for bank transfers: a transfer loads them all.
cash_waiting_max = 50
# Until what happens later in test mode happens.
test_delay_s = 5
test_delay_s_max = 86_400

# Cards and other means of payment.
card_number_digits_min = 13
card_number_digits_max = 19
card_number_separators_max = 2
fingerprint_keys_kept = 4_096
magic_cards_kept = 4_096
payment_method_types_max = 10

assert amount_min <= amount_max < 2**53
assert test_delay_s <= test_delay_s_max
assert funds_delay_days <= funds_delay_days_max
assert card_number_digits_min <= card_number_digits_max
# A balance is a difference of two counters, and the available amount one of three: both fit into a bigint.
assert balance_max + amount_max < ledger_counter_max < 2**63 // 4
