"""Bounds of settlement files, and of the settlements that are made of them."""

settlement_file_bytes_max = 256 << 20
settlement_rows_max = 500_000
settlement_line_bytes_max = 64 << 10
settlement_text_chars_max = 255
settlement_currencies_max = 16
# No row moves more: a file with more is broken.
settlement_amount_max = 10**15
# XML elements within each other.
settlement_depth_max = 32
# Rows that are written, matched or read at once.
settlement_page_rows = 1_000
# How long after a payment its value date may be.
settlement_lag_days_max = 60
# Differences that a person accepts in one settlement. All of them are in its snapshot.
settlement_acceptances_max = 500
settlement_reason_chars_max = 500
# How often a page is matched again because another settlement has taken one of its payments.
settlement_tries_max = 3
# Above every position: rows of a file, and behind them payments that it lacks.
settlement_positions_max = 2**31 - 1
