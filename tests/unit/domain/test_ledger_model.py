"""The ledger's commands against the plain model: whatever is done in whatever order, both agree."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fastpay import limits
from fastpay.domain import ledger
from fastpay.domain.identifiers import identifier_at
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_batches import HOLD, LINKED, BatchItems, CreateLedgerBatch
from fastpay.domain.ledger_objects import LedgerBatch, LedgerTransfer
from fastpay.domain.ledger_transfers import (
    CreateLedgerTransfer,
    ExpireLedgerTransfer,
    PostLedgerTransfer,
    VoidLedgerTransfer,
)
from fastpay.domain.plan import Command, Draft, ErrorRecord, Versioned, record
from fastpay.errors import FastpayError
from tests.reference.ledger import Account, Item, Ledger
from tests.support.world import START_S, World

ACCOUNTS = 5
MOST = limits.ledger_counter_max
_NUMBERS = st.integers(0, ACCOUNTS + 1)
_ITEMS = st.builds(
    Item,
    debit=_NUMBERS,
    credit=_NUMBERS,
    amount=st.integers(1, 40),
    hold=st.booleans(),
    linked=st.booleans(),
)
_SECONDS = st.none() | st.integers(-1, 6)


class LedgerMachine(RuleBasedStateMachine):
    """Both ledgers side by side. `moves` and `names` have what each calls a transfer, in the same order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.model = Ledger()
        self.names: list[str] = []
        self.accounts: list[str] = []

    @initialize(
        bounds=st.lists(st.none() | st.integers(-30, 0), min_size=ACCOUNTS, max_size=ACCOUNTS),
        sides=st.lists(st.sampled_from("DC"), min_size=ACCOUNTS, max_size=ACCOUNTS),
        most=st.sampled_from([MOST, 90]),
    )
    def open_accounts(self, bounds: list[int | None], sides: str, most: int) -> None:
        limits.ledger_counter_max = most
        for number, (least, side) in enumerate(zip(bounds, sides, strict=True)):
            currency = "eur" if number == ACCOUNTS - 1 else "usd"
            command = CreateLedgerAccount(currency=currency, code="a", normal_side=side, min_balance=least)
            self.accounts.append(self.world.do(command).id)
            self.model.accounts.append(Account(currency, side, least))
        # One of payments, and behind it a number that no account has.
        own = ledger.open_account(self.world.book.scope, "usd", "fees")
        self.world.accounts[own.id] = own
        self.accounts += [own.id, "lacc_" + "0" * 32]
        self.model.accounts.append(Account("usd", "C", None, is_reserved=True))

    def teardown(self) -> None:
        limits.ledger_counter_max = MOST

    def at(self, seconds: int | None, *, hold: bool) -> int | None:
        return None if seconds is None or not hold else self.world.moment_s + seconds

    def try_command(self, command: Command) -> tuple[Draft | None, ErrorRecord | None]:
        try:
            draft = self.world.run(command)
        except FastpayError as error:
            return None, record(error)
        return draft, draft.answer.error

    @rule(item=_ITEMS, seconds=_SECONDS)
    def transfer(self, item: Item, seconds: int | None) -> None:
        expires_at = self.at(seconds, hold=item.hold)
        item = Item(item.debit, item.credit, item.amount, item.hold, expires_at)
        expected = self.model.transfer(item, self.world.moment_s)
        draft, error = self.try_command(
            CreateLedgerTransfer(
                debit_account=self.accounts[item.debit],
                credit_account=self.accounts[item.credit],
                amount=item.amount,
                is_hold=item.hold,
                expires_at=expires_at,
            )
        )
        assert (error and error.code) == expected
        if draft is not None:
            assert draft.answer.object_id is not None
            self.names.append(draft.answer.object_id)

    @rule(
        items=st.lists(_ITEMS, min_size=1, max_size=8),
        seconds=st.lists(_SECONDS, min_size=8, max_size=8),
        dry_run=st.booleans(),
    )
    def batch(self, items: list[Item], seconds: list[int | None], dry_run: bool) -> None:
        items = [
            Item(item.debit, item.credit, item.amount, item.hold, self.at(ahead, hold=item.hold), item.linked)
            for item, ahead in zip(items, seconds, strict=False)
        ]
        before = (dict(self.world.accounts), self.world.book)
        # Earlier moves stay as they are: a batch only adds to them.
        tried = Ledger(self.model.accounts, self.model.moves[:])
        expected = tried.batch(items, self.world.moment_s)
        draft, error = self.try_command(
            CreateLedgerBatch(items=columns(items, self.accounts), dry_run=dry_run)
        )
        assert error is None
        assert draft is not None
        if dry_run:
            assert (draft.versions, draft.events, draft.rows) == ([], [], None)
            assert (dict(self.world.accounts), self.world.book) == before
            return
        self.model = tried
        batch = draft.versions[0].object
        assert isinstance(batch, LedgerBatch)
        codes = {place: code for code, places in batch.failures.items() for place in places}
        assert [codes.get(place) for place in range(batch.count)] == expected
        made = transfers_of(draft)
        assert [place for place, code in enumerate(expected) if code is None] == list(made)
        for transfer in made.values():
            self.world.objects[transfer.id] = Versioned(transfer, 1, transfer.sequence)
            self.names.append(transfer.id)

    @precondition(lambda self: self.names)
    @rule(choice=st.integers(0, 1000), amount=st.none() | st.integers(0, 50))
    def end(self, choice: int, amount: int | None) -> None:
        place = choice % len(self.names)
        name = self.names[place]
        stored = self.world.objects[name].object
        assert isinstance(stored, LedgerTransfer)
        was_hold = stored.phase == "hold"
        expected = self.model.end(place, amount, self.world.moment_s)
        command = VoidLedgerTransfer(id=name) if amount == 0 else PostLedgerTransfer(id=name, amount=amount)
        _, error = self.try_command(command)
        if not was_hold:
            assert error is not None
            assert error.code == "ledger_transfer_not_held"
        elif expected == "ended":
            assert error is not None
            assert error.code in {"hold_already_ended", "hold_expired"}
        else:
            assert (error and error.code) == expected

    @rule(seconds=st.integers(1, 4), sweep=st.booleans())
    def pass_time(self, seconds: int, sweep: bool) -> None:
        self.world.moment_s += seconds
        if sweep:
            self.model.expire(self.world.moment_s)
            for name in self.names:
                self.world.do(ExpireLedgerTransfer(id=name))

    @invariant()
    def both_hold_the_same(self) -> None:
        for number, name in enumerate(self.accounts[: len(self.model.accounts)]):
            account = self.world.accounts[name]
            found = (
                account.debits_posted,
                account.credits_posted,
                account.debits_pending,
                account.credits_pending,
            )
            assert found == self.model.counters(number), number
            assert account.min_balance is None or account.available >= account.min_balance

    @invariant()
    def every_currency_sums_to_zero(self) -> None:
        for currency in ("usd", "eur"):
            own = [account for account in self.world.accounts.values() if account.currency == currency]
            assert sum(account.debits_posted for account in own) == sum(
                account.credits_posted for account in own
            )
            assert sum(account.debits_pending for account in own) == sum(
                account.credits_pending for account in own
            )

    @invariant()
    def one_event_a_change(self) -> None:
        assert [event.sequence for event in self.world.events] == list(range(1, self.world.book.sequence + 1))


def columns(items: list[Item], accounts: list[str]) -> BatchItems:
    """Return a batch as a request would bring it."""
    return BatchItems(
        accounts,
        [item.debit for item in items],
        [item.credit for item in items],
        [item.amount for item in items],
        [(LINKED if item.linked else 0) | (HOLD if item.hold else 0) for item in items],
        {place: item.expires_at for place, item in enumerate(items) if item.expires_at is not None},
    )


def transfers_of(draft: Draft) -> dict[int, LedgerTransfer]:
    """Return the transfers of a batch, by index, as they would be read back."""
    rows = draft.rows
    assert rows is not None
    found = {
        index: rows.find(identifier_at("ltr", rows.moment_ms, rows.sequence, index)) for index in rows.indexes
    }
    return {index: transfer for index, transfer in found.items() if transfer is not None}


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=20)


def test_the_rows_of_a_batch_have_the_counters_after_each_of_its_transfers() -> None:
    world = World()
    names = [
        world.do(CreateLedgerAccount(currency="usd", code="a", normal_side="C", min_balance=least)).id
        for least in (None, 0, 0)
    ]
    items = [Item(0, 1, 10), Item(1, 2, 4), Item(1, 2, 5, hold=True), Item(1, 0, 2), Item(1, 0, 1)]
    draft = world.run(CreateLedgerBatch(items=columns(items, names)))
    told = [
        (row.debits_posted, row.debits_pending, row.credits_posted, row.credits_pending)
        for row in transfers_of(draft).values()
    ]
    assert told == [(10, 0, 10, 0), (4, 0, 4, 0), (4, 5, 4, 5), (5, 5, 1, 0)]
    assert world.moment_s == START_S


def test_what_a_broken_chain_took_is_there_for_the_next_item() -> None:
    world = World()
    names = [
        world.do(CreateLedgerAccount(currency="usd", code="a", normal_side=side, min_balance=-10)).id
        for side in "CD"
    ]
    for hold in (True, False):
        chain = [Item(0, 1, 9, hold=hold, linked=True), Item(0, 1, 2)]
        draft = world.run(CreateLedgerBatch(items=columns([*chain, Item(0, 1, 10), Item(1, 0, 10)], names)))
        batch = draft.versions[0].object
        assert isinstance(batch, LedgerBatch)
        assert batch.failures == {"linked_chain_failed": (0,), "insufficient_funds": (1,)}
