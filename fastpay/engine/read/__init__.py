"""The read path: cached, shared and batched reads."""
