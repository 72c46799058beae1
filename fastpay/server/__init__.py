"""Bytes to ASGI and back: listeners and HTTP protocols, with no knowledge of money."""
