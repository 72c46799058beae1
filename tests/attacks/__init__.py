"""Attacks on a running server, bounded in count and time. Each was seen to succeed once."""
