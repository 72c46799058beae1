"""Drafts: the numbers of events and versions, and that a command takes effect whole or not at all."""

import pytest

from fastpay._native.identifiers import IdentifierSequence
from fastpay.domain import ledger
from fastpay.domain.captures import CancelPaymentIntent, CapturePaymentIntent
from fastpay.domain.objects import Customer
from fastpay.domain.payment_intents import UpdatePaymentIntent
from fastpay.domain.plan import Book, Draft, Workspace
from fastpay.domain.refunds import CreateRefund
from tests.support.world import SCOPE, World

LONE = Customer(id="cus_" + "1" * 32, created=0)


def make_draft(sequence: int = 0) -> tuple[Workspace, Draft]:
    """Return a draft over an empty workspace."""
    workspace = Workspace(Book(SCOPE, sequence))
    identifiers = IdentifierSequence(7 << 12, b"\0" * 8)
    return workspace, Draft(workspace, moment_s=1, identifiers=identifiers)


def test_events_are_numbered_on_from_the_book_and_versions_carry_the_last() -> None:
    _, draft = make_draft(sequence=41)
    draft.put(LONE, "customer.created")
    draft.announce("customer.updated", LONE.id)
    draft.finish(LONE.id, ("a",))
    assert [(event.type, event.sequence, event.version) for event in draft.events] == [
        ("customer.created", 42, 1),
        ("customer.updated", 43, 1),
    ]
    assert [(written.version, written.sequence) for written in draft.versions] == [(1, 43)]
    assert (draft.answer.object_id, draft.answer.sequence, draft.answer.expand) == (LONE.id, 43, ("a",))


def test_an_object_put_twice_by_one_command_is_one_version_and_the_last_counts() -> None:
    _, draft = make_draft()
    draft.put(LONE, "customer.created")
    last = Customer(id=LONE.id, created=0, name="Ada")
    draft.put(last, None)
    draft.finish(LONE.id)
    assert [(written.object, written.version) for written in draft.versions] == [(last, 1)]


def test_a_change_that_nobody_would_hear_of_is_our_own_fault() -> None:
    _, draft = make_draft()
    draft.put(LONE, None)
    with pytest.raises(AssertionError):
        draft.finish(LONE.id)


def test_an_event_of_an_object_that_was_not_written_is_our_own_fault() -> None:
    _, draft = make_draft()
    with pytest.raises(AssertionError):
        draft.announce("customer.updated", LONE.id)


def test_a_draft_is_not_seen_before_it_is_merged() -> None:
    workspace, draft = make_draft()
    workspace.asked.update(ledger.account_ids(SCOPE, "usd"))
    draft.put(LONE, "customer.created")
    draft.transfer("capture", debit="processor", credit="pending", currency="usd", amount=5, source_id="x")
    assert (workspace.find(LONE.id), workspace.accounts, workspace.sequence) == (None, {}, 0)
    workspace.merge(draft.finish(LONE.id))
    assert (workspace.find(LONE.id), workspace.sequence) == (LONE, 1)
    assert workspace.account("usd", "processor").debits_posted == 5


def test_an_account_that_was_not_looked_for_is_not_opened() -> None:
    workspace, _ = make_draft()
    with pytest.raises(AssertionError):
        workspace.account("usd", "processor")


def test_a_payment_and_all_that_follows_is_numbered_without_a_gap() -> None:
    world = World()
    first, second = world.hold(1000), world.pay(500)
    world.do(UpdatePaymentIntent(id=first.id, metadata={"a": "1"}))
    world.do(CapturePaymentIntent(id=first.id, amount=700))
    world.do(CreateRefund(payment_intent=second.id, amount=100))
    world.refused(CancelPaymentIntent(id=second.id))
    assert world.book.sequence == 3 + 3 + 1 + 2 + 2
    world.check()
