"""Servers that fastpay starts for itself: a data directory, PostgreSQL and Redis in it. Knows no SQL."""
