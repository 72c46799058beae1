"""Moving an older API over, endpoint by endpoint: what is served here, and what is passed to it."""
