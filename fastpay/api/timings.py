"""Server-Timing: how long each stage of a request took, for clients that ask.

Only requests with a secret key that succeed get it, so that refusals reveal nothing by their timing.
Durations are rounded: a finer clock would help timing attacks and nothing else.

Source: the W3C's Server Timing, 2 and 3.
"""

import msgspec

from fastpay.api.context import Call, Reply
from fastpay.engine.timing import Timing

TIMING_HEADER = "fastpay-server-timing"

# Durations are rounded to multiples of this.
_STEP_NS = 10_000


def timed(reply: Reply, call: Call, timing: Timing) -> Reply:
    """Return the reply with a Server-Timing header."""
    # An endpoint that recorded no stage of its own is one stage.
    call.ended("render" if {"commit", "home", "cache", "read"} & timing.stages.keys() else "answer")
    return msgspec.structs.replace(reply, headers=(*reply.headers, (b"server-timing", header(timing))))


def header(timing: Timing) -> bytes:
    """Return the value of the header: milliseconds by stage."""
    return ", ".join(
        f"{stage};dur={round(duration_ns / _STEP_NS) * _STEP_NS / 1e6:.2f}"
        for stage, duration_ns in timing.stages.items()
    ).encode()
