"""How sure it is that fastpay fails more often than the legacy API. Pure.

Operators look all the time, so the test has to hold at every moment: an ordinary one, repeated until it is
significant, at last finds a difference where there is none. This is an e-process. While fastpay is not
worse, evidence is a supermartingale that begins at 1, so it ever reaches 1 / a with probability a at most, at
whatever time one looks (Ville's inequality).

A block is what came since the last look: of `n` requests `b` were bad, on each side. Before a block is seen a
rate is bet on for each side, l for the legacy API and f >= l for fastpay. Its evidence is the likelihood of
the block under l and f over that under their mean m, weighted by requests.

Why it cannot grow by itself: if both rates are p, the expectation of a block is A(p)^nl * B(p)^nf, where
A(p) = (1-p)(1-l)/(1-m) + p*l/m, and B the same with f. Both are linear in p and 1 at m. The logarithm of the
product is concave in p, and its derivative at m is (nl*(l-m) + nf*(f-m)) / (m*(1-m)) = 0. So it is at most 1.
As l <= m <= f, A falls and B rises with its rate: it is at most 1 as well if fastpay's rate is the lower one.

Source: Turner, Ly, Grünwald: Generic E-variables for exact sequential k-sample tests that allow for optional
stopping. Journal of Statistical Planning and Inference 230 (2024). It assumes that requests fail
independently of each other.
"""

import math
from typing import NamedTuple

from fastpay import limits

# The metrics that a route is rolled back for. They share the rate of false rollbacks.
METRICS = ("errors", "declines", "slow")
_LEAST, _MOST = 1e-6, 0.999


class Sides(NamedTuple):
    """Requests of both sides, and how many of them were bad."""

    legacy: int = 0
    legacy_bad: int = 0
    fastpay: int = 0
    fastpay_bad: int = 0

    def plus(self, other: "Sides") -> "Sides":
        """Return the sum."""
        return Sides(*(one + two for one, two in zip(self, other, strict=True)))


class Evidence(NamedTuple):
    """What is known of one metric of a route. `log` is the logarithm of the evidence."""

    seen: Sides = Sides()
    blocks: int = 0
    log: float = 0.0

    def after(self, block: Sides) -> "Evidence":
        """Return what is known after another block."""
        return Evidence(self.seen.plus(block), self.blocks + 1, self.log + _log_of(block, *_bets(self.seen)))

    @property
    def is_worse(self) -> bool:
        """Whether fastpay is worse, for all that is known."""
        return self.log >= math.log(len(METRICS) / limits.guardrail_false_rate)


def _bets(seen: Sides) -> tuple[float, float]:
    """Return the rates to bet on in the next block, from what was seen before it."""
    weight = limits.guardrail_prior_requests
    legacy = (seen.legacy_bad + weight * limits.guardrail_prior_rate) / (seen.legacy + weight)
    worse = legacy * limits.guardrail_prior_factor
    fastpay = (seen.fastpay_bad + weight * worse) / (seen.fastpay + weight)
    legacy = min(max(legacy, _LEAST), _MOST)
    return legacy, min(max(fastpay, legacy), _MOST)


def _log_of(block: Sides, legacy: float, fastpay: float) -> float:
    """Return the logarithm of a block's evidence."""
    requests = block.legacy + block.fastpay
    if not requests:
        return 0.0
    mean = (block.legacy * legacy + block.fastpay * fastpay) / requests
    return sum(
        bad * math.log(rate / mean) + (count - bad) * math.log((1 - rate) / (1 - mean))
        for count, bad, rate in (
            (block.legacy, block.legacy_bad, legacy),
            (block.fastpay, block.fastpay_bad, fastpay),
        )
    )


def log_of_ratio(legacy: int, fastpay: int, percent: int) -> float:
    """Return the logarithm of the evidence that customers were not drawn as `percent` says.

    A Bayes factor of a beta distribution around the share, which is a martingale while the share is right.
    Source: Lindon, Malek: Anytime-valid inference for multinomial count data. NeurIPS 2022.
    """
    share = percent / 100
    if not 0 < share < 1:
        return 0.0
    weight = limits.guardrail_prior_requests
    ours, theirs = weight * share, weight * (1 - share)
    return (
        _log_beta(ours + fastpay, theirs + legacy)
        - _log_beta(ours, theirs)
        - fastpay * math.log(share)
        - legacy * math.log(1 - share)
    )


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)
