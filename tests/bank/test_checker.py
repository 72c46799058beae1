"""The checker of the bank test: silent about good histories, and never about bad ones."""

import random
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.bank.checker import check
from tests.bank.history import EVENTS, Change, Operation
from tests.support.fees import fee

CLIENTS = 4
INSTANCES = 2


class Bank:
    """A bank that makes no mistakes, and writes down what its clients see of it. Times are steps."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.operations: list[Operation] = []
        self.changes: list[Change] = []
        self.balance = 0
        self.progress: dict[str, int] = {}
        self._now = 0

    def run(self, count: int) -> "Bank":
        """Serve clients in any order; some are answered late, some twice and some never."""
        for number in range(count):
            kind = self.chance.choice(("pay", "hold", "capture", "refund", "read", "balance"))
            client = self.chance.randrange(CLIENTS)
            invoked_ns = self._tick()
            if kind in {"capture", "refund", "read"} and not self.progress:
                continue
            asked = Operation(
                client=client,
                instance=self.chance.randrange(INSTANCES),
                kind=kind,  # type: ignore[arg-type]
                invoked_ns=invoked_ns,
                ended_ns=invoked_ns,
                result="ok",
            )
            if kind == "balance":
                self._told(replace(asked, balance=self.balance))
            elif kind == "read":
                payment = self.chance.choice(list(self.progress))
                self._told(replace(asked, payment=payment, progress=self.progress[payment]))
            else:
                self._command(replace(asked, key=f"key {number}", amount=self.chance.randint(100, 1000)))
        return self

    def faults(self) -> list[str]:
        """Return what the checker says."""
        return check(self.operations, self.changes, balance=self.balance)

    def _command(self, asked: Operation) -> None:
        payment = asked.key
        if asked.kind == "capture":
            held = [name for name, progress in self.progress.items() if progress == 0]
            if not held:
                return
            payment = self.chance.choice(held)
        elif asked.kind == "refund":
            taken = [name for name, progress in self.progress.items() if progress > 0]
            if not taken:
                return
            payment = self.chance.choice(taken)
        asked = replace(asked, payment=payment, request_id=f"req {asked.key}", answer=f"answer {asked.key}")
        if self.chance.random() < 0.1:
            self._told(replace(asked, result="refused", request_id=f"req no {asked.key}"))
            return
        own = asked.kind
        if own == "refund":
            self.progress[payment] += asked.amount
            self.balance -= asked.amount
        else:
            self.progress[payment] = 0 if own == "hold" else 1
            self.balance += asked.amount - fee(asked.amount) if own != "hold" else 0
        for event in EVENTS[own]:
            is_told = not event.startswith("charge.")
            self.changes.append(
                Change(
                    sequence=len(self.changes) + 1,
                    request_id=asked.request_id,
                    type=event,
                    key=asked.key if is_told else "",
                    amount=asked.amount if is_told else 0,
                )
            )
        if self.chance.random() < 0.2:
            self._told(replace(asked, result="unknown", request_id="", answer=""))
            asked = replace(asked, invoked_ns=self._tick(), instance=1 - asked.instance)
        self._told(replace(asked, progress=self.progress[payment]))

    def _told(self, operation: Operation) -> None:
        self.operations.append(replace(operation, ended_ns=self._tick()))

    def _tick(self) -> int:
        self._now += 10
        return self._now


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_said_about_a_bank_without_mistakes(seed: int) -> None:
    bank = Bank(seed).run(120)
    assert len(bank.changes) > 50
    assert bank.faults() == []


def commands(bank: Bank, *kinds: str) -> list[int]:
    """Return where the acknowledged commands of these kinds are in the history."""
    return [
        place
        for place, operation in enumerate(bank.operations)
        if operation.kind in (kinds or EVENTS) and operation.result == "ok"
    ]


def lose(bank: Bank) -> None:
    """Drop the effect of the last payment, and count on as if it had never been."""
    lost = bank.operations[commands(bank, "pay")[-1]]
    bank.balance -= lost.amount - fee(lost.amount)
    kept = [change for change in bank.changes if change.request_id != lost.request_id]
    bank.changes = [replace(change, sequence=place) for place, change in enumerate(kept, 1)]


def duplicate(bank: Bank) -> None:
    """Have a payment's effect a second time, at the end."""
    twice = bank.operations[commands(bank, "pay")[0]]
    bank.balance += twice.amount - fee(twice.amount)
    again = [change for change in bank.changes if change.request_id == twice.request_id]
    count = len(bank.changes)
    bank.changes += [
        replace(change, request_id="req again", sequence=count + place)
        for place, change in enumerate(again, 1)
    ]


def reorder(bank: Bank) -> None:
    """Put the first command behind all others."""
    first = bank.changes[0].request_id
    moved = [change for change in bank.changes if change.request_id == first]
    kept = [change for change in bank.changes if change.request_id != first]
    bank.changes = [replace(change, sequence=place) for place, change in enumerate(kept + moved, 1)]


def diverge(bank: Bank) -> None:
    """Answer a key another time, with something else."""
    place = commands(bank)[3]
    bank.operations.append(replace(bank.operations[place], answer="something else"))


def tear(bank: Bank) -> None:
    """Leave a payment without its last event."""
    last = max(change.sequence for change in bank.changes if change.type == "charge.succeeded")
    kept = [change for change in bank.changes if change.sequence != last]
    bank.changes = [replace(change, sequence=place) for place, change in enumerate(kept, 1)]


def skip(bank: Bank) -> None:
    """Leave a place of the sequence empty."""
    bank.changes = [
        replace(change, sequence=change.sequence + (change.sequence > 9)) for change in bank.changes
    ]


def invent(bank: Bank) -> None:
    """Have a refund of nothing that nobody asked for."""
    count = len(bank.changes)
    bank.changes.append(Change(sequence=count + 1, request_id="req x", type="refund.created", key="nobody's"))


def alter(bank: Bank) -> None:
    """Hold another amount than was asked for."""
    types = ("payment_intent.created", "payment_intent.amount_capturable_updated")
    held = bank.operations[commands(bank, "hold")[0]].request_id
    bank.changes = [
        replace(change, amount=change.amount + 1)
        if change.request_id == held and change.type in types
        else change
        for change in bank.changes
    ]


def contradict(bank: Bank) -> None:
    """Refuse what was done, every time that it was asked for."""
    key = bank.operations[commands(bank, "hold")[0]].key
    bank.operations = [
        replace(operation, result="refused", progress=None) if operation.key == key else operation
        for operation in bank.operations
    ]


def forget(bank: Bank) -> None:
    """Show a client a payment as it was before the refund that it was told of."""
    told = bank.operations[commands(bank, "refund")[0]]
    bank.operations.append(
        replace(
            told, kind="read", key="", request_id="", answer="", progress=0, invoked_ns=10**9, ended_ns=10**9
        )
    )


def discourage(bank: Bank) -> None:
    """Leave a client without an answer, and do not tell it to try again."""
    told = bank.operations[commands(bank, "pay")[0]]
    bank.operations.append(replace(told, result="unknown", request_id="", answer="503 database_unavailable"))


def miscount(bank: Bank) -> None:
    """Read a balance that never was."""
    read = Operation(
        client=0, instance=0, kind="balance", invoked_ns=0, ended_ns=10**9, result="ok", balance=-(10**9)
    )
    bank.operations.append(read)


def rewind(bank: Bank) -> None:
    """Read the balance of the very beginning after everything was told."""
    read = Operation(
        client=0, instance=0, kind="balance", invoked_ns=10**9, ended_ns=10**9, result="ok", balance=0
    )
    bank.operations.append(read)


def embezzle(bank: Bank) -> None:
    """End with another balance than the changes add up to."""
    bank.balance -= 1


PLANTED: list[tuple[Callable[[Bank], None], set[str]]] = [
    (lose, {"lost"}),
    (duplicate, {"duplicated"}),
    (reorder, {"reordered"}),
    (diverge, {"divergent"}),
    (tear, {"torn"}),
    (skip, {"gap", "interleaved"}),
    (invent, {"phantom"}),
    (alter, {"altered"}),
    (contradict, {"contradicted"}),
    (discourage, {"unhelpful"}),
    (forget, {"stale"}),
    (miscount, {"impossible"}),
    (rewind, {"impossible"}),
    (embezzle, {"unbalanced"}),
]


@pytest.mark.parametrize(("plant", "words"), PLANTED)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_planted_mistake_is_named(plant: Callable[[Bank], None], words: set[str], seed: int) -> None:
    bank = Bank(seed).run(200)
    plant(bank)
    named = {fault.partition(":")[0] for fault in bank.faults()}
    assert words & named
    # A lost or moved payment also makes balances that were read impossible; nothing else follows.
    assert named <= words | {"impossible"}
