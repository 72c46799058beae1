"""The balance and its transactions: views of the ledger."""

from collections.abc import Callable, Mapping, Sequence
from typing import get_args

import msgspec
from msgspec import UNSET, UnsetType

from fastpay.api import answers
from fastpay.api.chosen_transfers import Shown, read_chosen
from fastpay.api.common_params import Identifier, NoParams, Text, refuse_together, value_or
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.envelopes import render_list
from fastpay.api.expansion import expand
from fastpay.api.layout import Field, Shape, When, fields, template
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import absent, cut, in_order_of, page_of
from fastpay.api.payout_transactions import PayoutTransactions
from fastpay.api.resource import Reference, Resource, Snapshot
from fastpay.api.routes import Contract, Policy, Route
from fastpay.api.snapshots import Snapshots, begin_page
from fastpay.domain import funds, kinds, money
from fastpay.domain.application_fees import ApplicationFee, FeeRefund
from fastpay.domain.dispute_objects import Adjustment, Dispute
from fastpay.domain.funds import DAY_S, balance_id, is_released
from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.kinds import presentable
from fastpay.domain.ledger import Transfer
from fastpay.domain.objects import Charge, Refund, StoredObject
from fastpay.domain.payouts import Payout
from fastpay.domain.transfers import AccountTransfer, TransferReversal
from fastpay.engine.ports import Page, Reader
from fastpay.errors import InvalidRequest

# The kinds of transfers that change the balance, and the types that they are shown as.
_TYPES = {
    "capture": "charge",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "dispute": "adjustment",
    "dispute_won": "adjustment",
    "payout": "payout",
    "payout_cancel": "payout_cancel",
    "payout_failure": "payout_failure",
    "payout_reversal": "payout",
    "transfer": "transfer",
    "transfer_reversal": "transfer_refund",
    "application_fee": "application_fee",
    "application_fee_refund": "application_fee_refund",
}
# The types of what a payment method that is no card moved.
_NOT_BY_CARD = {"charge": "payment", "refund": "payment_refund"}
# Those that take away from it.
_TAKING = frozenset(("refund", "payout", "transfer", "application_fee_refund"))
# The categories of reports, where they are not the type.
_CATEGORIES = {
    "payout_cancel": "payout_reversal",
    "payout_failure": "payout_reversal",
    "transfer_refund": "transfer_reversal",
    "application_fee": "platform_earning",
    "application_fee_refund": "platform_earning_refund",
    "payment": "charge",
    "payment_refund": "refund",
}
Source = Charge | Refund | Dispute | Payout | AccountTransfer | TransferReversal | ApplicationFee | FeeRefund
_IsShown = Callable[[Transfer, StoredObject | None], bool]
_SOURCES = tuple(kind for kind in kinds.STORED.values() if issubclass(kind.struct, get_args(Source)))


class BalanceTransaction(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a transfer did to the balance: a view of it and of the object that it belongs to.

    Times are in seconds. A dispute's is stored with it (`dispute_objects.Adjustment`).
    """

    id: str
    amount: int
    available_on: int
    created: int
    currency: str
    description: str | None
    fee: int
    has_fee: bool
    net: int
    reporting_category: str
    source: str
    status: str
    type: str


_SHAPE: dict[str, Shape] = {
    "id": Field("id"),
    "object": "balance_transaction",
    "amount": Field("amount"),
    "available_on": Field("available_on"),
    "balance_type": "payments",
    **fields("created", "currency", "description"),
    "exchange_rate": None,
    "fee": Field("fee"),
    "fee_details": When(
        "has_fee",
        [
            {
                "amount": Field("fee"),
                "application": None,
                "currency": Field("currency"),
                "description": "Processing fee",
                "type": "stripe_fee",
            }
        ],
        otherwise=[],
    ),
    **fields("net", "reporting_category", "source", "status", "type"),
}
# The same of what a dispute stores.
ADJUSTMENT_SHAPE: Shape = {
    **_SHAPE,
    "available_on": Field("created"),
    "fee_details": When(
        "has_fee",
        [
            {
                "amount": Field("fee"),
                "application": None,
                "currency": Field("currency"),
                "description": "Dispute fee",
                "type": "stripe_fee",
            }
        ],
        otherwise=[],
    ),
    "reporting_category": Field("reporting_category"),
    "status": "available",
    "type": "adjustment",
}
_ADJUSTMENT = template(Adjustment, ADJUSTMENT_SHAPE)


async def _load(snapshot: Snapshot, identifiers: Sequence[str]) -> Mapping[str, dict[str, object]]:
    return await _render_all(snapshot, await _transfers(snapshot.reader, snapshot.scope, identifiers))


async def _transfers(
    reader: Reader, scope: Scope, identifiers: Sequence[str]
) -> Sequence[tuple[Transfer, int]]:
    """Return the transfers of balance transactions, with their moments in milliseconds."""
    return await reader.transfers(scope, ["tr_" + digits(identifier) for identifier in identifiers])


async def _render_all(
    snapshot: Snapshot, transfers: Sequence[tuple[Transfer, int]]
) -> dict[str, dict[str, object]]:
    """Return the balance transactions that these transfers are, by identifier."""
    own_id = balance_id(snapshot.scope)
    sources = await snapshot.load([own_id, *dict.fromkeys(transfer.source_id for transfer, _ in transfers)])
    balance = sources[own_id].object if own_id in sources else None
    found: dict[str, dict[str, object]] = {}
    for transfer, moment_ms in transfers:
        source = sources[transfer.source_id].object if transfer.source_id in sources else None
        identifier = funds.transaction_of(transfer.id)
        # A fee is a transfer of its own, and a part of the one that the source names.
        if isinstance(source, Source) and identifier in _fees(source):
            body = render_balance_transaction(transfer, moment_ms // 1000, source, balance)
            found[identifier] = msgspec.json.decode(body)
    return found


BALANCE_TRANSACTION = Resource(
    kinds.BALANCE_TRANSACTION,
    struct=BalanceTransaction,
    shape=_SHAPE,
    load=_load,
    expandable={"source": Reference(_SOURCES)},
)


class RetrieveBalanceTransaction:
    """The endpoint that shows what one transfer did to the balance."""

    policy = Policy()
    contract = Contract(NoParams, BALANCE_TRANSACTION)

    async def answer(self, call: Call) -> Reply:
        """Show the balance transaction. Raises: NotFound."""
        params = decode_query(NoParams, call.query)
        paths = answers.check_expansions(call, BALANCE_TRANSACTION, params.expand)
        identifier = kinds.check(kinds.BALANCE_TRANSACTION, call.arguments["id"])
        snapshots = Snapshots(call)
        found = (await snapshots.resolve((identifier,))).get(identifier)
        if found is None:
            raise kinds.absent(kinds.BALANCE_TRANSACTION, identifier)
        await expand((found,), paths, snapshots)
        return Reply(body=answers.encode(found))


class BalanceTransactionListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of the balance transactions, and which of them."""

    currency: Text | UnsetType = UNSET
    payout: Identifier | UnsetType = UNSET
    source: Identifier | UnsetType = UNSET
    type: Text | UnsetType = UNSET


class ListBalanceTransactions:
    """The endpoint that shows balance transactions, newest first."""

    policy = Policy()
    contract = Contract(BalanceTransactionListParams, BALANCE_TRANSACTION, "list")

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: FastpayError."""
        params = decode_query(BalanceTransactionListParams, call.query)
        paths = answers.check_expansions(call, BALANCE_TRANSACTION, params.expand, listed=True)
        currency = value_or(params.currency, None)
        if currency is not None:
            currency = money.parse_currency(currency)
        wanted, is_shown = _of_type(value_or(params.type, None))
        source, payout_id = value_or(params.source, None), value_or(params.payout, None)
        if source is not None and payout_id is not None:
            raise refuse_together("source", "payout")
        if source is not None and not any(kinds.could_be(kind, source) for kind in _SOURCES):
            message = f"No such source: '{presentable(source)}'"
            raise InvalidRequest(message, code="resource_missing", param="source")
        reader, scope = call.services.reader, call.scope

        async def exists(identifier: str) -> bool:
            return len(await _transfers(reader, scope, [identifier])) > 0

        page = in_order_of(call, await page_of(params, kinds.BALANCE_TRANSACTION, exists))
        snapshots = await begin_page(call, paths)
        transfers: Sequence[tuple[Transfer, int]]
        if payout_id is not None:
            payout = await _automatic_payout(call, payout_id)
            within = PayoutTransactions(snapshots, payout, wanted, is_shown)
            transfers = await within.read(page) if currency in {None, payout.currency} else ()
        elif source is None:
            transfers = await _of_all(snapshots, page, wanted, is_shown, currency) if wanted else ()
        else:
            transfers = [
                (transfer, moment_ms)
                for transfer, moment_ms, of in await _of_source(reader, scope, source)
                if page.above < digits(transfer.id) < page.below
                and transfer.kind in wanted
                and is_shown(transfer, of)
                and currency in {None, transfer.currency}
            ]
        rows, has_more = cut(transfers, page)
        items = list((await _render_all(snapshots, rows)).values())
        await expand(items, paths, snapshots)
        data = await answers.encode_apart(items, snapshots)
        return Reply(body=answers.encode(render_list(call.path, data, has_more)))


def _of_type(name: str | None) -> tuple[Sequence[str], _IsShown]:
    """Return the kinds of transfers that may be shown as this type, and which of them are; None for all."""
    kinds_of_type = tuple(
        kind for kind, shown in _TYPES.items() if name in {None, shown, _NOT_BY_CARD.get(shown, shown)}
    )
    return kinds_of_type, lambda transfer, source: name in {None, _shown_type(transfer, source)}


async def _of_all(
    snapshots: Snapshots, page: Page, wanted: Sequence[str], is_shown: _IsShown, currency: str | None
) -> Sequence[Shown]:
    """Return up to `page.limit` + 1 transfers with their moments, newest first."""
    ledger, scope = snapshots.ledger, snapshots.scope

    async def read(part: Page) -> Sequence[Shown]:
        return await ledger.balance_transfers(scope, part, wanted, currency)

    async def choose(rows: Sequence[Shown]) -> list[Shown]:
        sources = await snapshots.load(list({transfer.source_id for transfer, _ in rows}))
        objects = {name: versioned.object for name, versioned in sources.items()}
        return [row for row in rows if is_shown(row[0], objects.get(row[0].source_id))]

    if len(wanted) == len(_TYPES) or not any(_TYPES[kind] in _NOT_BY_CARD for kind in wanted):
        return await read(page)
    return await read_chosen(page, read, choose, rows_first=page.limit, param="type")


async def _of_source(
    reader: Reader, scope: Scope, source: str
) -> Sequence[tuple[Transfer, int, StoredObject]]:
    """Return what a charge, a refund or a payout did to the balance, each with its moment and that object."""
    found = await reader.get(scope, source)
    if found is None or not isinstance(found.object, Source):
        return ()
    named = _fees(found.object)
    if not named:
        return ()
    transfers = await _transfers(reader, scope, list(named))
    newest_first = sorted(transfers, key=lambda moved: digits(moved[0].id), reverse=True)
    return [(transfer, moment_ms, found.object) for transfer, moment_ms in newest_first]


async def _automatic_payout(call: Call, identifier: str) -> Payout:
    """Return the payout to filter by. Raises: InvalidRequest if it is missing or not automatic."""
    found = None
    if kinds.could_be(kinds.PAYOUT, identifier):
        found = await call.services.reader.get(call.scope, identifier)
    if found is None or not isinstance(found.object, Payout):
        raise absent(kinds.PAYOUT, identifier, "payout")
    if not found.object.automatic:
        raise InvalidRequest(
            "Balance transactions can only be filtered by an automatic payout. This one is manual.",
            param="payout",
        )
    return found.object


def _fees(source: Source) -> Mapping[str, int]:
    """Return the balance transactions that an object names, each with its fee."""
    match source:
        case Dispute():
            return {one.id: one.fee for one in (source.withdrawal, source.reinstatement) if one is not None}
        case Charge() if source.extras is not None and source.extras.captures:
            return {one.balance_transaction: one.fee for one in source.extras.captures}
        case Charge():
            return {} if source.balance_transaction is None else {source.balance_transaction: source.fee}
        case Refund() | Payout():
            both = source.balance_transaction, source.failure_balance_transaction
            return {one: 0 for one in both if one is not None}
        case _:
            return {} if source.balance_transaction is None else {source.balance_transaction: 0}


def _shown_type(transfer: Transfer, source: StoredObject | None) -> str:
    """Return the type of what a transfer did, which belongs to this object."""
    shown = _TYPES[transfer.kind]
    match source:
        case Charge():
            by_card = source.extras is None or source.extras.method == "card"
        case Refund():
            by_card = source.destination == "card"
        case _:
            by_card = True
    return shown if by_card else _NOT_BY_CARD.get(shown, shown)


def render_balance_transaction(
    transfer: Transfer, created_s: int, source: Source, balance: StoredObject | None = None
) -> bytes:
    """Return, in JSON, what a transfer did to the balance. `balance` tells what is available.

    `created_s` is the time of the transfer in seconds. The dialect has no `livemode` here.
    """
    identifier = funds.transaction_of(transfer.id)
    if isinstance(source, Dispute):
        (adjustment,) = (
            one
            for one in (source.withdrawal, source.reinstatement)
            if one is not None and one.id == identifier
        )
        return _ADJUSTMENT.render(adjustment, False)
    # Everything but a charge changes the balance at once.
    is_available, delay_s, fee = True, 0, _fees(source).get(identifier, 0)
    if isinstance(source, Charge):
        is_available = source.funds_available or is_released(transfer.id, balance)
        delay_s = 0 if source.funds_available else source.funds_delay_days * DAY_S
    amount = -transfer.amount if transfer.kind in _TAKING else transfer.amount
    shown_type = _shown_type(transfer, source)
    shown = BalanceTransaction(
        id=identifier,
        amount=amount,
        available_on=created_s + delay_s,
        created=created_s,
        currency=transfer.currency,
        description=getattr(source, "description", None),
        fee=fee,
        has_fee=fee != 0,
        net=amount - fee,
        reporting_category=_CATEGORIES.get(shown_type, shown_type),
        source=source.id,
        status="available" if is_available else "pending",
        type=shown_type,
    )
    return BALANCE_TRANSACTION.render_bytes(shown, False)


RESOURCES = (BALANCE_TRANSACTION,)
ROUTES = (
    Route("GET", "/v1/balance_transactions", ListBalanceTransactions()),
    Route("GET", "/v1/balance_transactions/{id}", RetrieveBalanceTransaction()),
)
