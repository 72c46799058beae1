"""The servers that fastpay runs itself: a data directory with PostgreSQL and Redis in it. Contains no SQL."""
