"""PostgreSQL and Redis. Only this floor has SQL."""
