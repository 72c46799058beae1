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
# How often the range of a bound is halved: as often as a float has bits.
_HALVINGS = 53


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


class Effect(NamedTuple):
    """How much larger fastpay's rate of bad requests is, and between which values that may lie.

    The interval holds at every moment: over all looks, it ever misses with `guardrail_false_rate` at most.
    """

    difference: float
    low: float
    high: float


def effect_of(seen: Sides) -> Effect:
    """Return the effect on a metric. With nothing on one side anything is possible."""
    (low, high), (least, most) = (
        _rate_bounds(count, bad, limits.guardrail_false_rate / 2)
        for count, bad in ((seen.legacy, seen.legacy_bad), (seen.fastpay, seen.fastpay_bad))
    )
    difference = seen.fastpay_bad / max(seen.fastpay, 1) - seen.legacy_bad / max(seen.legacy, 1)
    return Effect(difference, least - high, most - low)


def _rate_bounds(count: int, bad: int, error: float) -> tuple[float, float]:
    """Return between which values a rate lies, whenever one looks.

    For the true rate p, the likelihood of what was seen under a beta distribution over that under p is a
    martingale. So the values for which it is below 1 / error hold the true one (Ville's inequality).
    """
    # Jeffreys' prior: it is as sharp for rates close to 0 as for others.
    least = _log_beta(bad + 0.5, count - bad + 0.5) - _log_beta(0.5, 0.5) - math.log(1 / error)

    def is_possible(rate: float) -> bool:
        return least < bad * math.log(rate) + (count - bad) * math.log(1 - rate)

    bounds = []
    for end, is_end in ((0.0, bad == 0), (1.0, bad == count)):
        # The likelihood has one peak, at what was seen.
        outside, inside = end, bad / max(count, 1)
        for _ in range(0 if is_end else _HALVINGS):
            middle = (outside + inside) / 2
            outside, inside = (outside, middle) if is_possible(middle) else (middle, inside)
        bounds.append(outside)
    return bounds[0], bounds[1]


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)
