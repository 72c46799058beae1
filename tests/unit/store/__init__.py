"""The store where it needs no database."""
