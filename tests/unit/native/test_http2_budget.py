"""The budget of an HTTP/2 client decides as the oracle does, whatever comes in which order."""

import random

from fastpay._native.http2_budget import Budget
from tests.reference import http2_budget as oracle
from tests.unit.native.test_frame_counter import invent


def play(chance: random.Random) -> list[tuple[int | bool, int | bool]]:
    """Do the same with both; return what each has said."""
    now = 1_000.0
    ours, plain = Budget(now), oracle.Budget(now)
    said: list[tuple[int | bool, int | bool]] = []
    ours.take_in(bytes(24), now)
    plain.take_in(bytes(24), now)
    for _ in range(40):
        now += chance.choice([0.0, 0.001, 0.3])
        count, other = chance.choice([0, 1, 30]), chance.choice([0, 2, 60])
        match chance.randrange(6):
            case 0:
                data = invent(chance)[24:]
                said.append((ours.take_in(data, now), plain.take_in(data, now)))
                if said[-1][0] >= 0:
                    # The connection ends here.
                    break
            case 1:
                ours.begin_anew(now)
                plain.begin_anew(now)
            case 2:
                said.append((ours.take_windows(count, now), plain.take_windows(count, now)))
            case 3:
                said.append((ours.pay(count, other, now), plain.pay(count, other, now)))
            case 4:
                ours.earn_request()
                plain.earn_request()
            case _:
                ours.earn_data()
                plain.earn_data()
    now += 0.5
    said.append((count_left(ours, now), count_left(plain, now)))
    return said


def count_left(budget: Budget | oracle.Budget, now: float) -> int:
    """Spend what is left, one by one; return how much it was."""
    control = next(count for count in range(1_000) if not budget.take_windows(1, now))
    return control * 1_000 + next(count for count in range(1_000) if not budget.pay(1, 0, now))


def test_a_budget_decides_as_the_oracle() -> None:
    chance = random.Random(9_113)
    said = [pair for _ in range(500) for pair in play(chance)]
    assert [ours for ours, _ in said] == [plain for _, plain in said]
    refused = [ours for ours, _ in said if ours is False]
    stopped = [ours for ours, _ in said if ours is not False and ours is not True and ours >= 0]
    assert min(len(refused), len(stopped)) > 20
