"""How long both sides took to answer the same requests on a route in shadow. Pure.

Durations are counted in buckets whose bounds grow by a fifth, so what instances count adds up, and a quantile
is at most a fifth too high. A pair is slower if fastpay took longer than the legacy API by
`shadow_slower_ns` or more.

Evidence that fastpay is slower is a bet on each pair, made with several rates of slower pairs at once. While
at most half of the pairs are slower it is a supermartingale that begins at 1, so it may be looked at at any
time (`evidence.py`). It depends on the counts alone, not on their order.
"""

import math
from collections.abc import Iterator, Mapping

import msgspec

from fastpay import limits
from fastpay.engine.rollout.choice import FASTPAY, LEGACY, Side

_SLOWER, _NOT_SLOWER = "slower", "not slower"
_LEAST_US = 100
_BUCKETS_A_DOUBLING = 4
_LAST = math.ceil(_BUCKETS_A_DOUBLING * math.log2(limits.legacy_timeout_ms * 1000 / _LEAST_US))
# The rates of slower pairs that are bet on.
_BETS = (0.6, 0.75, 0.9)


class Latency(msgspec.Struct, frozen=True):
    """What is known of a route: quantiles in milliseconds, and in how many pairs fastpay was slower."""

    legacy_p50_ms: float
    legacy_p99_ms: float
    fastpay_p50_ms: float
    fastpay_p99_ms: float
    pairs: int
    slower: int
    evidence_log10: float
    is_slower: bool


def names_of(legacy_ns: int, fastpay_ns: int) -> Iterator[str]:
    """Yield what a pair is counted under: a bounded number of names in all."""
    yield f"{LEGACY} {_bucket_of(legacy_ns)}"
    yield f"{FASTPAY} {_bucket_of(fastpay_ns)}"
    yield _SLOWER if fastpay_ns - legacy_ns >= limits.shadow_slower_ns else _NOT_SLOWER


def latency_of(counts: Mapping[str, int]) -> Latency | None:
    """Return what the counts of a route say, None without any."""
    slower, rest = counts.get(_SLOWER, 0), counts.get(_NOT_SLOWER, 0)
    if not slower + rest:
        return None
    log = _evidence(slower, rest)
    legacy, fastpay = (_buckets(counts, side) for side in (LEGACY, FASTPAY))
    return Latency(
        _quantile_ms(legacy, 0.5),
        _quantile_ms(legacy, 0.99),
        _quantile_ms(fastpay, 0.5),
        _quantile_ms(fastpay, 0.99),
        slower + rest,
        slower,
        log / math.log(10),
        log >= math.log(1 / limits.guardrail_false_rate),
    )


def _evidence(slower: int, rest: int) -> float:
    """Return the logarithm of the mean of what the bets have won: each began with 1."""
    logs = [slower * math.log(2 * rate) + rest * math.log(2 * (1 - rate)) for rate in _BETS]
    most = max(logs)
    return most + math.log(sum(math.exp(log - most) for log in logs) / len(logs))


def _bucket_of(duration_ns: int) -> int:
    microseconds = max(duration_ns / 1000, _LEAST_US)
    return min(math.ceil(_BUCKETS_A_DOUBLING * math.log2(microseconds / _LEAST_US)), _LAST)


def _buckets(counts: Mapping[str, int], side: Side) -> list[tuple[int, int]]:
    """Return the buckets of a side with their counts, in order."""
    named = (name.split(" ") for name in counts if name.startswith(side))
    return sorted((int(bucket), counts[f"{own} {bucket}"]) for own, bucket in named)


def _quantile_ms(buckets: list[tuple[int, int]], quantile: float) -> float:
    """Return the upper bound of the bucket that a quantile is in."""
    left = quantile * sum(count for _, count in buckets)
    for bucket, count in buckets:
        left -= count
        if left <= 0:
            return round(_LEAST_US * 2 ** (bucket / _BUCKETS_A_DOUBLING) / 1000, 2)
    return 0.0
