"""The budget of bytes in flight: who is refused when it is short, and who gives up for whom."""

import pytest

from fastpay import limits
from fastpay._native.service import INFLIGHT_EXHAUSTED, INFLIGHT_SHARE
from fastpay.server.bytes_budget import BytesBudget, Holding
from tests.support.http_server import held_by

MAX = 1 << 24


class Bench:
    """A budget whose holders end at once when they are told to give up."""

    def __init__(self, *, connections: int = 0) -> None:
        self.now_ms = 0
        self.given_up: list[tuple[str, int]] = []
        self.budget = BytesBudget(
            MAX, count_connections=lambda: connections, now_ns=lambda: self.now_ms * 1_000_000
        )

    def open(self, *names: str, size: int = 0, label: str = "", ends: bool = True) -> Holding:
        def give_up(reason: int) -> None:
            self.given_up.append((label or names[0], reason))
            if ends:
                holding.release()

        holding = self.budget.open(give_up, names)
        if size:
            assert holding.resize(size) == 0
        return holding

    def wait(self) -> None:
        self.now_ms += limits.stalled_ms


def test_what_is_released_is_given_back() -> None:
    bench = Bench()
    holdings = [bench.open("a", "key", size=1 << 20) for _ in range(5)]
    assert bench.budget.held == held_by(bench.budget, "a") == held_by(bench.budget, "key") == 5 << 20
    for holding in holdings:
        holding.release()
    assert bench.budget.held == held_by(bench.budget, "a") == held_by(bench.budget, "key") == 0


def test_one_account_is_refused_beyond_three_quarters() -> None:
    bench = Bench()
    bench.open("a", size=MAX * 3 // 4)
    assert bench.open("a").resize(1) == INFLIGHT_SHARE
    assert bench.given_up == []
    # Others still have the rest.
    bench.open("b", size=MAX // 4)


def test_the_share_of_a_key_holds_for_all_its_addresses() -> None:
    bench = Bench()
    for number in range(12):
        bench.open(f"address {number}", "key", size=MAX // 16)
    assert bench.open("another address", "key").resize(1) == INFLIGHT_SHARE
    assert bench.open("another address", "another key").resize(1 << 20) == 0


def test_the_heaviest_account_gives_up_what_has_not_grown_for_longest() -> None:
    bench = Bench()
    grows = bench.open("a", size=MAX // 4, label="grows")
    bench.open("a", size=MAX // 4, label="stalled")
    assert grows.resize(MAX // 4 + 1) == 0
    bench.open("b", size=MAX // 4)
    assert bench.given_up == []
    bench.open("c", size=MAX // 4)
    assert bench.given_up == [("stalled", INFLIGHT_EXHAUSTED)]
    assert bench.budget.held == MAX * 3 // 4 + 1
    assert bench.budget.leaving == 0


def test_who_holds_the_most_is_refused_and_makes_nobody_give_up() -> None:
    bench = Bench()
    mine = bench.open("a", size=MAX // 2)
    for number in range(8):
        bench.open(f"small {number}", size=MAX // 16)
    assert mine.resize(MAX // 2 + 1) == INFLIGHT_EXHAUSTED
    assert bench.given_up == []


def test_an_account_gives_up_its_own_stalled_bytes_but_not_those_that_move() -> None:
    bench = Bench()
    bench.open("a", size=MAX * 3 // 4, label="stalled")
    assert bench.open("a").resize(1) == INFLIGHT_SHARE
    bench.wait()
    assert bench.open("a").resize(1) == 0
    assert bench.given_up == [("stalled", INFLIGHT_SHARE)]


def test_pinned_bytes_are_never_given_up() -> None:
    bench = Bench()
    pinned = bench.open("a", size=MAX * 3 // 4)
    pinned.pin()
    bench.wait()
    bench.open("b", size=MAX // 8)
    bench.open("c", size=MAX // 8)
    assert bench.open("d").resize(MAX // 4) == INFLIGHT_EXHAUSTED
    assert bench.given_up == []
    pinned.unpin()
    assert bench.open("d").resize(MAX // 4) == 0
    assert bench.given_up == [("a", INFLIGHT_EXHAUSTED)]


@pytest.mark.parametrize("ends", [True, False])
def test_bytes_that_are_about_to_go_make_room_only_once(ends: bool) -> None:
    bench = Bench()
    for number in range(3):
        bench.open("a", size=MAX // 4, label=str(number), ends=ends)
    bench.open("b", size=MAX // 4)
    bench.open("c", size=1 << 20)
    bench.open("d", size=1 << 20)
    assert bench.given_up == [("0", INFLIGHT_EXHAUSTED)]
    assert bench.budget.leaving == (0 if ends else MAX // 4)


def test_connections_count_for_a_little_each_and_half_of_the_budget_at_most() -> None:
    bench = Bench(connections=MAX // limits.holding_bytes_min)
    first, second = bench.open("a", size=MAX // 4), bench.open("b", size=MAX // 4)
    assert second.resize(MAX // 4 + 1) == INFLIGHT_EXHAUSTED
    first.release()


def test_accounts_without_bytes_are_forgotten() -> None:
    bench = Bench()
    for number in range(1000):
        bench.open(f"address {number}", size=1).release()
    assert not bench.budget.accounts
