"""Deliveries give way to payments during a peak, and only then."""

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Commit
from fastpay.engine.relay.peak import Peak

SECOND_NS = 1_000_000_000
SCOPE = Scope("1", livemode=False)


def commits(*, events: int) -> list[Commit]:
    """Return two commits with so many events together."""
    return [Commit(SCOPE, 0, events - 1, []), Commit(SCOPE, 7, 8, [])]


def deliveries(peak: Peak, *, from_ns: int, most: int) -> int:
    """Return how many deliveries may begin within a second, of so many that wait."""
    now_ns, begun = from_ns, 0
    while begun < most:
        now_ns += peak.wait_ns(now_ns)
        if now_ns >= from_ns + SECOND_NS:
            break
        peak.began(now_ns)
        begun += 1
    return begun


def is_on(peak: Peak) -> bool:
    """Return whether there is a peak."""
    return peak.is_on


def test_deliveries_are_few_while_more_is_committed_than_they_could_follow() -> None:
    peak = Peak()
    peak.look(0)
    peak.committed(commits(events=limits.relay_followed_per_second))
    peak.look(SECOND_NS)
    assert deliveries(peak, from_ns=SECOND_NS, most=10_000) == 10_000
    peak.committed(commits(events=limits.relay_followed_per_second + 1))
    peak.look(2 * SECOND_NS)
    assert is_on(peak)
    # And those of a short burst.
    burst = limits.relay_peak_deliveries_per_second * limits.relay_burst_ms // 1000
    few = limits.relay_peak_deliveries_per_second + burst + 1
    assert 0 < deliveries(peak, from_ns=2 * SECOND_NS, most=10_000) <= few
    peak.look(3 * SECOND_NS)
    assert not is_on(peak)
    assert deliveries(peak, from_ns=3 * SECOND_NS, most=10_000) == 10_000


def test_a_peak_is_judged_by_the_time_that_has_passed() -> None:
    peak = Peak()
    peak.look(0)
    peak.committed(commits(events=limits.relay_followed_per_second))
    peak.look(SECOND_NS // 2)
    assert is_on(peak)
