"""Bounds of imports from an older API."""

# Each line is remembered by a digest, so that a file cannot say two things of one object.
import_lines_max = 500_000
import_line_bytes_max = 64 << 10
# Lines that are imported, or compared with what was imported before, at once.
import_page_lines = 100
# Identifiers of an older API that a process remembers, with ours.
imported_identifiers_kept = 50_000
