"""Bounds of periodic work: deletions, expiry, funds and payouts."""

housekeeping_interval_ms = 600_000
# A block has at most some fifty rows. Steps take up to a twentieth of the time, and a sweep over rows that
# may not be deleted yet reads little more than a megabyte a second.
purge_blocks_max = 16
purge_pause_ms = 100
purge_pause_factor = 20
expiry_interval_ms = 1_000
expiry_rows_max = 500
# An instance looks for what is due if its looks have succeeded so short a time ago. So long others rely on it
# after they were told that it does.
due_looked_ms = 2_000
due_relieved_ms = 3_000
# Books that are examined for funds in one round, and the transfers that one command releases.
funds_interval_ms = 1_000
funds_books_max = 500
funds_transfers_max = 256
funds_pages_max = 20
# Transfers that are examined for a page of balance transactions, if only their objects tell which it shows.
examined_rows = 500
examined_pages_max = 20
