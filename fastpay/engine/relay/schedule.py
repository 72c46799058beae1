"""When a failed delivery is attempted again."""

from fastpay import limits

_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000
# After the first failed attempt, after the second, and so on. The last delay repeats until the endpoint is
# disabled: an event that was never acknowledged is never given up.
DELAYS_MS = (
    *(5 * _SECOND, 5 * _MINUTE, 30 * _MINUTE),
    *(hours * _HOUR for hours in (2, 5, 10, 14, 20, 24)),
)


def next_attempt_ms(attempts: int, now_ms: int, *, chance: int, retry_after_s: int | None = None) -> int:
    """Return the time of the next attempt, in milliseconds since 1970, after this many failed ones.

    `chance` is a random byte: it adds up to a tenth of the delay, so that what failed together does not come
    back together. The receiver may ask for a longer delay.
    """
    delay_ms = DELAYS_MS[min(attempts, len(DELAYS_MS)) - 1]
    due_ms = now_ms + delay_ms + delay_ms * chance // (10 * 256)
    return max(due_ms, now_ms + (retry_after_s or 0) * 1_000)


def probe_delay_ms(probes: int, *, chance: int, longest_ms: int = limits.relay_probe_max_ms) -> int:
    """Return how long an endpoint is left alone after its circuit has opened for the nth time in a row."""
    delay_ms = min(limits.relay_probe_ms << min(probes - 1, 16), longest_ms)
    return delay_ms + delay_ms * chance // (10 * 256)
