"""Instances that write for the same tenants, in virtual time: few transactions are in vain."""

from benchmarks import turns


def test_contended_books_are_tried_in_vain_by_few_transactions_and_homes_by_none() -> None:
    apart = turns.run(instances=5, merchants=5, rate=1_500, homes=False, seconds=2.5)
    assert apart.failed == 0
    assert apart.answered > 1_500
    # Nearly half of them, if contended tenants left the lanes after every commit.
    assert apart.in_vain < 0.3 * apart.transactions
    at_home = turns.run(instances=5, merchants=5, rate=1_500, homes=True, seconds=2.5)
    assert at_home.in_vain == 0
    assert at_home.p99_ms < apart.p99_ms
