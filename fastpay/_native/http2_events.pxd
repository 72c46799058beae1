cdef enum EventKind:
    # `fastpay.server.http2_events` has the same.
    REQUEST = 0
    CONTENT = 1
    TRAILERS = 2
    RESET = 3
    WINDOW_OPENED = 4
    SETTINGS_CHANGED = 5
    TERMINATED = 6
