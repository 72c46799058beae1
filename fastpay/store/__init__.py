"""PostgreSQL and Redis: the only place with SQL."""
