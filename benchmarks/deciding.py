"""How long does the domain take to decide one payment, created and confirmed at once? No database, no bytes.

And how long do its compiled steps take, beside plain Python and the library?

Run: pytest benchmarks/deciding.py
"""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import samples
from fastpay._native import structs
from fastpay._native.identifiers import IdentifierSequence
from fastpay._native.numbering import Numbering
from fastpay.domain.plan import Draft, Event, Versioned
from tests.reference import identifiers as plain_identifiers
from tests.reference import numbering as plain_numbering
from tests.reference import structs as plain_structs

# In the order in which a payment makes them.
_PREFIXES = ("pi", "pm", "ch", "tr", "tr", "evt", "evt", "evt")


def test_create_and_confirm(benchmark: BenchmarkFixture) -> None:
    workspace, command = samples.new_workspace(), samples.new_command()
    draft: Draft = benchmark(samples.decide, workspace, command)
    assert (len(draft.versions), len(draft.transfers), len(draft.events)) == (3, 2, 3)
    assert len(draft.accounts) == 3


def test_create_and_confirm_and_take_over(benchmark: BenchmarkFixture) -> None:
    workspace, command = samples.new_workspace(), samples.new_command()

    def decide_and_merge() -> None:
        workspace.merge(samples.decide(workspace, command))

    benchmark(decide_and_merge)
    assert workspace.sequence % 3 == 0
    assert workspace.sequence > 0


@pytest.mark.parametrize(
    "sequence",
    [IdentifierSequence, plain_identifiers.IdentifierSequence],
    ids=["compiled", "plain"],
)
def test_identifiers_of_a_payment(benchmark: BenchmarkFixture, sequence: Callable[..., Any]) -> None:
    def make() -> list[str]:
        identifiers = sequence(samples.MOMENT_MS << 16 | 0x7000, b"12345678")
        return [identifiers.next(prefix) for prefix in _PREFIXES]

    assert len(set(benchmark(make))) == len(_PREFIXES)


def test_versions_and_events_of_a_payment(benchmark: BenchmarkFixture) -> None:
    changed, announced, identifiers = _changes_of_a_payment()
    number = Numbering(Versioned, Event).number
    versions, events = benchmark(number, changed, announced, {}, 0, identifiers)
    assert (len(versions), len(events)) == (3, 3)


def test_versions_and_events_of_a_payment_in_plain_python(benchmark: BenchmarkFixture) -> None:
    changed, announced, identifiers = _changes_of_a_payment()
    number, kinds = plain_numbering.number, (Versioned, Event)
    versions, events = benchmark(number, kinds, changed, announced, {}, 0, identifiers.next)
    assert (len(versions), len(events)) == (3, 3)


@pytest.mark.parametrize("replace", [structs.replace, plain_structs.replace], ids=["compiled", "library"])
def test_a_payment_with_another_status(benchmark: BenchmarkFixture, replace: Callable[..., Any]) -> None:
    intent = samples.new_intent()
    assert benchmark(lambda: replace(intent, status="canceled", canceled_at=1)).status == "canceled"


def _changes_of_a_payment() -> tuple[dict[str, Any], list[tuple[str, str]], IdentifierSequence]:
    draft = samples.decide(samples.new_workspace(), samples.new_command())
    changed = {versioned.object.id: versioned.object for versioned in draft.versions}
    announced = [(event.type, event.object_id) for event in draft.events]
    return changed, announced, IdentifierSequence(0, b"12345678")


@pytest.mark.parametrize("is_compiled", [True, False], ids=["compiled", "rules"])
def test_a_plain_transfer(benchmark: BenchmarkFixture, is_compiled: bool) -> None:
    workspace = samples.used_workspace()
    draft = Draft(workspace, 0, IdentifierSequence(0, b"12345678"))

    def transfer() -> str:
        if is_compiled:
            return draft.transfer(
                "capture",
                debit="processor",
                credit="pending",
                currency="usd",
                amount=2000,
                source_id="ch_1",
            )
        return draft.transfer_by_rules("capture", "posted", "processor", "pending", "usd", 2000, "ch_1", None)

    assert benchmark(transfer) == draft.transfers[-1].id
