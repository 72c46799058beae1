"""Server-Timing: where the time of a request went, for a client that asks.

It is told to secret keys alone, once a request was let in and did not fail: any other refusal says no more by
its duration than can be seen from outside. Durations are rounded, since who can ask a thousand times needs no
microseconds to find out what is slow, and nobody is to have a finer clock for other purposes.

Source: the W3C's Server Timing, 2 and 3.
"""

import msgspec

from fastpay.api.context import Call, Reply
from fastpay.engine.timing import Timing

TIMING_HEADER = "fastpay-server-timing"

# What is told of is a multiple of this.
_STEP_NS = 10_000


def timed(reply: Reply, call: Call, timing: Timing) -> Reply:
    """Return the reply with a Server-Timing header."""
    # Where an endpoint has told of no stage of its own, all of it is one.
    call.ended("render" if {"commit", "cache", "read"} & timing.stages.keys() else "answer")
    return msgspec.structs.replace(reply, headers=(*reply.headers, (b"server-timing", header(timing))))


def header(timing: Timing) -> bytes:
    """Return the value of the header: milliseconds by stage."""
    return ", ".join(
        f"{stage};dur={round(duration_ns / _STEP_NS) * _STEP_NS / 1e6:.2f}"
        for stage, duration_ns in timing.stages.items()
    ).encode()
