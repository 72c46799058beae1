"""Homes: most writes of a tenant meet in the writer of one instance, wherever its requests arrive."""
