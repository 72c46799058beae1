"""Bytes to ASGI and back: listeners and HTTP protocols. Knows nothing about money."""
