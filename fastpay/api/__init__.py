"""ASGI to meaning and back: authentication, decoding, resources, rendering. No SQL, no sockets."""
