"""The tables of objects: one entry a kind, with the columns of its rows and the filters of its lists.

A row of such a table is the head of an object: the number of its latest version, and the columns that
lists, constraints and triggers need. `statements.py` generates the lists and the writes of heads from these
constants and the templates in `sql/templates/`. No text of a client is ever part of a statement.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple

import msgspec

from fastpay.domain import kinds
from fastpay.domain.identifiers import digits, position_of
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Versioned
from fastpay.store import ledger_rows, rows
from fastpay.store.rows import Row

ColumnType = Literal["bigint", "boolean", "integer", "text", "uuid"]


class Column(NamedTuple):
    """A column and the attribute of a snapshot that it holds."""

    name: str
    type: ColumnType
    attribute: str


class OwnIndex(NamedTuple):
    """A unique index that holds, of the rows with one value of `filter`, the one that meets `alone`.

    The index of the filter holds the `others`. Both are predicates, in the words of the indexes.
    """

    filter: str
    alone: str
    others: str


class HeadWrite(NamedTuple):
    """A statement that writes heads, and its columns after tenant and mode."""

    statement: str
    columns: tuple[Column, ...]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The table of one kind.

    `changing` columns are written with every version, `fixed` columns with the first one. A list can be
    filtered by any combination of `filters`. The first filter that is given finds its rows by an index, and
    the others are compared row by row: declare the most selective filter first. Every row of a list meets
    the predicate `listed`. `owners` are the filters by which the lists of many objects are read at once.
    `due` is the column with the second since 1970 at which an object changes by itself, if it does.

    Rows of the ledger are written by statements of their own, so they have no columns here. `template` is
    None if the list is a file. `bounds` returns the arguments for one bound of a page, `read` the object in
    a row.
    """

    name: str
    plural: str
    changing: tuple[Column, ...] = ()
    fixed: tuple[Column, ...] = ()
    filters: tuple[Column, ...] = ()
    owners: tuple[Column, ...] = ()
    due: Column | None = None
    listed: str = ""
    own_index: OwnIndex | None = None
    template: str | None = "list_objects"
    bounds: Callable[[str], Sequence[Any]] = lambda bound: (bound,)
    read: Callable[[Row], Versioned] = rows.versioned

    @property
    def identifier(self) -> str:
        """The column of the primary key beside tenant and mode."""
        return f"{self.name}_id"

    @property
    def has_heads(self) -> bool:
        """Whether rows are heads of objects, and not rows of the ledger."""
        return self.template == "list_objects"

    def insert(self) -> HeadWrite:
        """Return what writes the heads of new objects."""
        return self._write(f"write_new_{self.plural}", (*self.changing, *self.fixed))

    def update(self) -> HeadWrite:
        """Return what writes the heads of objects that existed before."""
        return self._write(f"write_{self.plural}", self.changing)

    def filter_combinations(self) -> Iterator[tuple[Column, ...]]:
        """Yield every combination of filters, each in the order of declaration."""
        for count in range(len(self.filters) + 1):
            yield from combinations(self.filters, count)

    def list_statement(self, filters: Sequence[Column]) -> str:
        """Return the name of the list with these filters."""
        names = "_and_".join(column.attribute for column in filters)
        return f"list_{self.plural}_by_{names}" if names else f"list_{self.plural}"

    @property
    def due_statement(self) -> str:
        """The name of the statement that lists what is due, over all tenants."""
        return f"list_due_{self.plural}"

    def each_statement(self, owner: Column) -> str:
        """Return the name of the statement that reads the lists of many owners."""
        return f"list_{self.plural}_of_each_{owner.attribute}"

    def choose_each(self, attribute: str) -> str:
        """Return the name of the statement that reads the lists of many objects that this attribute names."""
        (owner,) = [column for column in self.owners if column.attribute == attribute]
        return self.each_statement(owner)

    def choose_list(self, values: Mapping[str, str]) -> tuple[str, list[str]]:
        """Return the name of the list filtered by these attributes, and the arguments of its filters."""
        chosen = [column for column in self.filters if column.attribute in values]
        assert len(chosen) == len(values), f"{self.plural} cannot be filtered by all of {list(values)}"
        arguments = [
            digits(values[column.attribute]) if column.type == "uuid" else values[column.attribute]
            for column in chosen
        ]
        return self.list_statement(chosen), arguments

    def _write(self, statement: str, columns: tuple[Column, ...]) -> HeadWrite:
        key = (Column(self.identifier, "uuid", "id"), Column("version", "integer", ""))
        return HeadWrite(statement, (*key, *columns))


def _bigint(name: str) -> Column:
    return Column(name, "bigint", name)


def _boolean(name: str) -> Column:
    return Column(name, "boolean", name)


def _text(name: str) -> Column:
    return Column(name, "text", name)


def _reference(attribute: str) -> Column:
    return Column(f"{attribute}_id", "uuid", attribute)


TABLES: Mapping[kinds.Kind, Table] = {
    kinds.CUSTOMER: Table(
        name="customer",
        plural="customers",
        changing=(_boolean("deleted"), _text("email")),
        filters=(_text("email"),),
        listed="not deleted",
    ),
    kinds.PAYMENT_METHOD: Table(
        name="payment_method",
        plural="payment_methods",
        changing=(_reference("customer"),),
        filters=(_reference("customer"),),
        owners=(_reference("customer"),),
    ),
    kinds.PAYMENT_INTENT: Table(
        name="payment_intent",
        plural="payment_intents",
        changing=(
            _text("status"),
            _bigint("amount"),
            _bigint("amount_capturable"),
            _bigint("amount_received"),
            _reference("customer"),
        ),
        fixed=(_text("currency"),),
        filters=(_reference("customer"),),
    ),
    kinds.CHARGE: Table(
        name="charge",
        plural="charges",
        changing=(
            _text("status"),
            _boolean("captured"),
            _bigint("amount"),
            _bigint("amount_captured"),
            _bigint("amount_refunded"),
            _bigint("fee"),
            _text("transfer_group"),
        ),
        fixed=(
            _text("currency"),
            _reference("payment_intent"),
            _reference("customer"),
        ),
        filters=(_reference("payment_intent"), _reference("customer"), _text("transfer_group")),
        own_index=OwnIndex("payment_intent", "status = 'succeeded'", "status <> 'succeeded'"),
    ),
    kinds.REFUND: Table(
        name="refund",
        plural="refunds",
        changing=(_text("status"), _bigint("changes_at")),
        fixed=(
            _text("currency"),
            _bigint("amount"),
            _reference("charge"),
            _reference("payment_intent"),
        ),
        filters=(_reference("charge"), _reference("payment_intent")),
        owners=(_reference("charge"),),
        due=_bigint("changes_at"),
    ),
    kinds.DISPUTE: Table(
        name="dispute",
        plural="disputes",
        changing=(_text("status"), _bigint("amount"), _bigint("fee"), _bigint("changes_at")),
        fixed=(_text("currency"), _reference("charge"), _reference("payment_intent")),
        filters=(_reference("charge"), _reference("payment_intent")),
        due=_bigint("changes_at"),
    ),
    kinds.SETUP_INTENT: Table(
        name="setup_intent",
        plural="setup_intents",
        changing=(_text("status"), _reference("payment_method"), _reference("customer")),
        filters=(_reference("payment_method"), _reference("customer")),
    ),
    kinds.SETUP_ATTEMPT: Table(
        name="setup_attempt",
        plural="setup_attempts",
        changing=(_text("status"),),
        fixed=(_reference("setup_intent"),),
        filters=(_reference("setup_intent"),),
    ),
    kinds.BALANCE: Table(
        name="balance",
        plural="balances",
        changing=(
            Column("released_through", "uuid", "released_through"),
            _bigint("credited"),
            _bigint("paid_out_day"),
        ),
    ),
    kinds.PAYOUT: Table(
        name="payout",
        plural="payouts",
        changing=(_text("status"), _bigint("due_at")),
        fixed=(_text("currency"), _bigint("amount"), _text("destination")),
        filters=(_text("destination"), _text("status")),
        due=_bigint("due_at"),
    ),
    kinds.ACCOUNT: Table(name="connected_account", plural="connected_accounts", fixed=(_text("country"),)),
    kinds.TRANSFER: Table(
        name="account_transfer",
        plural="account_transfers",
        changing=(_bigint("amount_reversed"),),
        fixed=(
            _text("currency"),
            _bigint("amount"),
            _reference("destination"),
            _reference("source_transaction"),
            _text("transfer_group"),
        ),
        filters=(_reference("destination"), _text("transfer_group")),
    ),
    kinds.TRANSFER_REVERSAL: Table(
        name="transfer_reversal",
        plural="transfer_reversals",
        fixed=(_text("currency"), _bigint("amount"), _reference("transfer")),
        filters=(_reference("transfer"),),
    ),
    kinds.WEBHOOK_ENDPOINT: Table(
        name="webhook_endpoint",
        plural="webhook_endpoints",
        changing=(_text("status"), _boolean("deleted")),
        listed="not deleted",
    ),
    kinds.WEBHOOK_REPLAY: Table(
        name="webhook_replay",
        plural="webhook_replays",
        fixed=(_reference("webhook_endpoint"),),
        filters=(_reference("webhook_endpoint"),),
    ),
    kinds.APPLICATION_FEE: Table(
        name="application_fee",
        plural="application_fees",
        changing=(_bigint("amount_refunded"),),
        fixed=(_text("currency"), _bigint("amount"), _reference("account"), _reference("charge")),
        filters=(_reference("charge"),),
    ),
    kinds.FEE_REFUND: Table(
        name="fee_refund",
        plural="fee_refunds",
        fixed=(
            _text("currency"),
            _bigint("amount"),
            Column("application_fee_id", "uuid", "fee"),
        ),
        filters=(Column("application_fee_id", "uuid", "fee"),),
    ),
    kinds.CASH_TRANSACTION: Table(
        name="cash_transaction",
        plural="cash_transactions",
        fixed=(
            _text("type"),
            _text("currency"),
            _bigint("net_amount"),
            _reference("customer"),
            _reference("payment_intent"),
            _reference("refund"),
        ),
        filters=(_reference("customer"),),
    ),
    kinds.ATTEMPT: Table(
        name="attempt",
        plural="attempts",
        changing=(_text("status"), _bigint("held"), _bigint("due_at"), _text("processor_id")),
        fixed=(
            _bigint("amount"),
            _text("currency"),
            _reference("payment_intent"),
            _text("operation"),
            _text("processor"),
            _reference("setup_intent"),
        ),
        filters=(_reference("payment_intent"), _text("status")),
        owners=(_reference("payment_intent"),),
        due=_bigint("due_at"),
    ),
    kinds.SETTLEMENT: Table(
        name="settlement",
        plural="settlements",
        changing=(
            _text("status"),
            _bigint("revision"),
            _bigint("gross"),
            _bigint("fee"),
            _bigint("net"),
            _bigint("ours"),
            _bigint("accepted"),
            _bigint("differences"),
        ),
        fixed=(_text("processor"), _text("currency")),
        filters=(_text("processor"),),
    ),
    kinds.LEDGER_ACCOUNT: Table(
        name="account",
        plural="ledger_accounts",
        filters=(_text("code"),),
        template="list_ledger_accounts",
        read=ledger_rows.listed_account,
    ),
    kinds.LEDGER_TRANSFER: Table(
        name="ledger_transfer",
        plural="ledger_transfers",
        template=None,
        bounds=position_of,
        read=ledger_rows.transfer,
    ),
}

# The tables by prefix, and for each class the writes of new and of existing heads.
BY_PREFIX: Mapping[str, Table] = {kind.prefix: table for kind, table in TABLES.items()}
HEAD_WRITES: Mapping[type[StoredObject], tuple[HeadWrite, HeadWrite]] = {
    kind.struct: (table.insert(), table.update())
    for kind, table in TABLES.items()
    if isinstance(kind, kinds.StoredKind) and table.has_heads
}
