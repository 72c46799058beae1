"""Whole batches of transfers: chains as long as they get, accounts at their bounds, and dry runs."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native.identifiers import IdentifierSequence
from fastpay.domain import ledger
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_batches import HOLD, LINKED, BatchItems, CreateLedgerBatch
from fastpay.domain.ledger_objects import LedgerBatch
from fastpay.domain.plan import Draft
from tests.reference.ledger import Account, Item
from tests.reference.ledger_counters import Counters
from tests.support.world import World

MOST = limits.ledger_batch_transfers_max
# A source without a bound, two wallets and a debit account at theirs, euros, and an account of payments.
BOOKS = (
    Account("usd", "C", None),
    Account("usd", "C", 0),
    Account("usd", "C", -5),
    Account("usd", "D", 0),
    Account("eur", "C", 0),
    Account("usd", "C", None, is_reserved=True),
)
# Behind the accounts there are a number that no account has.
NOBODY = len(BOOKS)


class Both:
    """The domain and its oracle side by side, on the same accounts."""

    def __init__(self) -> None:
        self.world = World()
        self.counters = Counters(list(BOOKS))
        self.names = [
            self.world.do(
                CreateLedgerAccount(
                    currency=one.currency, code="a", normal_side=one.side, min_balance=one.least
                )
            ).id
            for one in BOOKS[:-1]
        ]
        own = ledger.open_account(self.world.book.scope, "usd", "fees")
        self.world.accounts[own.id] = own
        self.names += [own.id, "lacc_" + "0" * 32]

    def command(self, items: Sequence[Item], *, dry_run: bool = False) -> CreateLedgerBatch:
        """Return a batch as a request would bring it."""
        return CreateLedgerBatch(
            items=BatchItems(
                self.names,
                [item.debit for item in items],
                [item.credit for item in items],
                [item.amount for item in items],
                [LINKED * item.linked + HOLD * item.hold for item in items],
                {place: item.expires_at for place, item in enumerate(items) if item.expires_at is not None},
            ),
            dry_run=dry_run,
        )

    def run(self, items: Sequence[Item]) -> list[str | None]:
        """Run a batch in both, dry before; return what became of each item."""
        tried = self._try(self.command(items, dry_run=True))
        plan = self.world.run(self.command(items))
        batch = plan.versions[0].object
        assert isinstance(batch, LedgerBatch)
        assert (tried.failures, tried.count) == (batch.failures, batch.count)
        codes: list[str | None] = [None] * batch.count
        for code, places in batch.failures.items():
            for place in places:
                codes[place] = code
        assert codes == self.counters.batch(items, self.world.moment_s)
        assert plan.rows is not None
        assert plan.rows.indexes == [place for place, code in enumerate(codes) if code is None]
        for number, name in enumerate(self.names[:NOBODY]):
            one = self.world.accounts[name]
            held = [one.debits_posted, one.credits_posted, one.debits_pending, one.credits_pending]
            assert held == self.counters.held[number]
        return codes

    def _try(self, command: CreateLedgerBatch) -> LedgerBatch:
        """Run a dry run, which changes nothing."""
        workspace = self.world.load(command)
        accounts = dict(workspace.accounts)
        draft = Draft(
            workspace, moment_s=self.world.moment_s, identifiers=IdentifierSequence(1 << 16, b"12345678")
        )
        draft.finish(command.execute(workspace, draft))
        assert (draft.versions, draft.events, draft.rows, draft.accounts) == ([], [], None, {})
        assert (workspace.accounts, workspace.sequence) == (accounts, self.world.book.sequence)
        assert draft.answer.object_id is not None
        batch = workspace.find(draft.answer.object_id)
        assert isinstance(batch, LedgerBatch)
        return batch


def chain(count: int, debit: int = 0, credit: int = 1) -> list[Item]:
    """Return so many transfers of one, of which all but the last are linked."""
    links = [Item(debit, credit, 1, linked=True) for _ in range(count - 1)]
    return [*links, Item(debit, credit, 1)]


def test_the_longest_chain_falls_with_its_last_link_and_stands_without_it() -> None:
    both = Both()
    items = chain(MOST)
    broken = [*items[:-1], Item(2, 0, 6)]
    assert both.run(broken) == [*["linked_chain_failed"] * (MOST - 1), "insufficient_funds"]
    assert both.run(items) == [None] * MOST
    assert both.run([*items[:-1], Item(0, 1, 1, linked=True)])[-1] == "linked_chain_open"
    assert both.counters.held[1] == [0, MOST, 0, 0]


def test_a_chain_that_its_first_link_breaks_takes_nobody_behind_it_along() -> None:
    both = Both()
    first = [Item(1, 0, 1, linked=True), *chain(MOST // 2)[1:]]
    assert both.run([*first, *chain(MOST // 2)]) == [
        "insufficient_funds",
        *["linked_chain_failed"] * (MOST // 2 - 1),
        *[None] * (MOST // 2),
    ]


def test_many_chains_that_break_at_their_ends_are_taken_back_each_by_itself() -> None:
    both = Both()
    items = [item for _ in range(MOST // 3) for item in (*chain(3)[:2], Item(2, 1, 6))]
    codes = both.run(items)
    assert codes == ["linked_chain_failed", "linked_chain_failed", "insufficient_funds"] * (MOST // 3)
    assert both.counters.held == [[0, 0, 0, 0]] * len(BOOKS)


def test_what_a_broken_chain_would_have_brought_cannot_be_spent() -> None:
    both = Both()
    earning = [Item(0, 1, 5, linked=True), Item(1, 2, 5, hold=True, linked=True), Item(1, 0, 1)]
    assert both.run([*earning, Item(1, 0, 5), Item(0, 1, 5), Item(1, 0, 5, hold=True), Item(1, 0, 1)]) == [
        "linked_chain_failed",
        "linked_chain_failed",
        "insufficient_funds",
        "insufficient_funds",
        None,
        None,
        "insufficient_funds",
    ]


@pytest.mark.parametrize("seed", range(4))
def test_a_whole_batch_on_few_accounts_at_their_bounds(seed: int) -> None:
    both, chance = Both(), random.Random(seed)
    for _ in range(2):
        items = [
            Item(
                chance.choices(range(4), weights=(2, 3, 3, 2))[0],
                chance.choices(range(4), weights=(2, 3, 3, 2))[0],
                chance.randint(1, 6),
                hold=chance.random() < 0.2,
                linked=chance.random() < 0.3,
            )
            for _ in range(MOST)
        ]
        codes = both.run(items)
        assert {None, "insufficient_funds", "linked_chain_failed"} <= set(codes)


_NUMBERS = st.integers(0, NOBODY)
_SECONDS = st.none() | st.integers(-1, 1)
_ITEMS = st.builds(
    Item,
    debit=_NUMBERS,
    credit=_NUMBERS,
    amount=st.integers(1, 9),
    hold=st.booleans(),
    linked=st.booleans(),
)


@given(st.lists(st.lists(_ITEMS, min_size=1, max_size=12), min_size=1, max_size=4), st.data())
@settings(max_examples=150)
def test_any_batches_come_to_what_the_rules_say(batches: list[list[Item]], data: st.DataObject) -> None:
    both = Both()
    for items in batches:
        seconds = data.draw(st.lists(_SECONDS, min_size=len(items), max_size=len(items)))
        both.run(
            [
                replace(item, expires_at=both.world.moment_s + second)
                if item.hold and second is not None
                else item
                for item, second in zip(items, seconds, strict=True)
            ]
        )
