"""Which requests are traced: a draw that makes no object, under a ceiling of traces a second."""

class Sampler:
    """Draws requests.

    `share` of the requests without a caller's trace are drawn. With `follows_callers` the flag in a caller's
    traceparent decides about the others; otherwise they are drawn like all. At most `per_second_max` are
    drawn in one second; `refused` counts those above. `seed` has at least 8 random bytes.
    """

    refused: int
    def __init__(self, share: float, seed: bytes, *, follows_callers: bool, per_second_max: int) -> None: ...
    def is_drawn(self, parent: bytes | None, now_ns: int) -> bool:
        """Draw. `parent` is the value of the header traceparent; an invalid one counts as none."""

def sampled_flag(parent: bytes) -> int:
    """Return the flag "sampled" of a traceparent, 0 or 1, and -1 if it is invalid.

    Source: W3C Trace Context 3.2.
    """
