"""The check of what webhook endpoints received: silent about good histories, and never about bad ones."""

import random
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.bank.deliveries import Delivery, check
from tests.bank.history import Change, Operation

CALM, STRICT = "calm", "strict"


class Hooks:
    """Endpoints that make no mistakes. Some attempts fail, and some are made again. Times are steps."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.changes: list[Change] = []
        self.operations: list[Operation] = []
        self.deliveries: list[Delivery] = []
        self._now = 0
        for hook, start in ((CALM, 0), (STRICT, 2)):
            self._told(Operation(
                client=0, instance=0, kind="subscribe", invoked_ns=0, ended_ns=0, result="ok", key=hook,
                hook=hook, endpoint=f"we_{hook}", is_strict=hook == STRICT, start=start,
            ))  # fmt: skip

    def run(self, count: int) -> "Hooks":
        """Make events, every third of which clients do not see, deliver each, and look now and then."""
        before = {CALM: 0, STRICT: 2}
        for sequence in range(1, count + 1):
            is_seen = sequence % 3 != 0
            kind = "charge.succeeded" if is_seen else "webhook_endpoint.updated"
            self.changes.append(Change(sequence=sequence, request_id=f"req {sequence}", type=kind))
            for hook, previous in before.items():
                if is_seen and sequence > (2 if hook == STRICT else 0):
                    self._deliver(hook, sequence, previous)
                    before[hook] = sequence
                if self.chance.random() < 0.5:
                    self.look(hook, through=sequence)
        return self

    def faults(self) -> set[str]:
        """Return the words that the check says."""
        return {
            fault.partition(":")[0]
            for fault in check(self.operations, self.changes, self.deliveries, complete={CALM, STRICT})
        }

    def look(self, hook: str, *, through: int) -> None:
        """Tell a client how far deliveries are."""
        self._now += 1
        self._told(Operation(
            client=0, instance=0, kind="look", invoked_ns=self._now, ended_ns=self._now, result="ok",
            hook=hook, through=through,
        ))  # fmt: skip

    def _deliver(self, hook: str, sequence: int, previous: int) -> None:
        results = [False] * self.chance.choice((0, 0, 1)) + [True] * self.chance.choice((1, 1, 2))
        for is_acknowledged in results:
            self._now += 1
            self.deliveries.append(Delivery(
                hook=hook, sequence=sequence, previous=previous, content=f"{sequence}",
                is_acknowledged=is_acknowledged, at_ns=self._now,
            ))  # fmt: skip

    def _told(self, operation: Operation) -> None:
        self._now += 1
        self.operations.append(replace(operation, ended_ns=self._now))


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_said_about_deliveries_without_mistakes(seed: int) -> None:
    hooks = Hooks(seed).run(40)
    assert len(hooks.deliveries) > 50
    assert hooks.faults() == set()


def lose(hooks: Hooks) -> None:
    """Never deliver the last event of all, of which nothing was claimed."""
    hooks.operations = [one for one in hooks.operations if one.kind != "look"]
    last = hooks.deliveries[-1].sequence
    hooks.deliveries = [one for one in hooks.deliveries if one.sequence != last]


def refuse(hooks: Hooks) -> None:
    """Claim an event that the receiver has only refused."""
    hooks.deliveries = [
        replace(one, is_acknowledged=one.is_acknowledged and one.sequence != 4) for one in hooks.deliveries
    ]


def hurry(hooks: Hooks) -> None:
    """Claim an event before it is acknowledged."""
    first = next(place for place, one in enumerate(hooks.operations) if one.through)
    hooks.operations[first] = replace(hooks.operations[first], through=39)


def recede(hooks: Hooks) -> None:
    """Claim less than before."""
    hooks.look(CALM, through=1)


def tear(hooks: Hooks) -> None:
    """Send an event again with other bytes."""
    hooks.deliveries.append(replace(hooks.deliveries[5], content="other"))


def skip(hooks: Hooks) -> None:
    """Say that there is one event fewer before another."""
    hooks.deliveries[9] = replace(hooks.deliveries[9], previous=hooks.deliveries[9].previous + 1)


def intrude(hooks: Hooks) -> None:
    """Send an event that clients do not see."""
    hooks.deliveries.append(replace(hooks.deliveries[-1], hook=CALM, sequence=3, content="3"))


def overtake(hooks: Hooks) -> None:
    """Deliver to a strict endpoint in another order."""
    strict = [one for one in hooks.deliveries if one.hook == STRICT]
    calm = [one for one in hooks.deliveries if one.hook == CALM]
    hooks.operations = [one for one in hooks.operations if one.kind != "look"]
    hooks.deliveries = calm + strict[::-1]


def stray(hooks: Hooks) -> None:
    """Deliver where no endpoint is."""
    hooks.deliveries.append(replace(hooks.deliveries[0], hook="nobody"))


PLANTED: list[tuple[Callable[[Hooks], None], set[str]]] = [
    (lose, {"undelivered"}),
    (refuse, {"undelivered", "overclaimed"}),
    (hurry, {"overclaimed", "receded"}),
    (recede, {"receded"}),
    (tear, {"unlike"}),
    (skip, {"hole"}),
    (intrude, {"unwanted"}),
    (overtake, {"unordered"}),
    (stray, {"stray"}),
]


@pytest.mark.parametrize(("plant", "words"), PLANTED)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_planted_mistake_of_deliveries_is_named(
    plant: Callable[[Hooks], None], words: set[str], seed: int
) -> None:
    hooks = Hooks(seed).run(40)
    plant(hooks)
    assert hooks.faults() == words
