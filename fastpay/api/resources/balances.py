"""The balance and its transactions: views of the ledger."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from fastpay.api import answers
from fastpay.api.common_params import Identifier, NoParams, Text, value_or
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.envelopes import render_list
from fastpay.api.expansion import expand
from fastpay.api.layout import Field, Shape, When
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import cut, page_of
from fastpay.api.resource import Reference, Resource, Snapshot
from fastpay.api.routes import Policy, Route
from fastpay.api.snapshots import Snapshots, begin_page
from fastpay.domain import kinds, money
from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.kinds import presentable
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.objects import Charge, Refund
from fastpay.engine.ports import Reader
from fastpay.errors import InvalidRequest

_SHOWN_CODES = ("available", "pending")
# The currency of a balance that nothing has ever moved.
_FIRST_CURRENCY = "usd"
_DAY_S = 24 * 3600
# The kinds of transfers that change the balance, and the types that they are shown as.
_TYPES = {"capture": "charge", "refund": "refund"}
_SOURCES = (kinds.CHARGE, kinds.REFUND)


class BalanceTransaction(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a capture or a refund did to the balance: a view of a transfer and its source.

    Times are in seconds.
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
    source: str
    status: str
    type: str


_SHAPE: Shape = {
    "id": Field("id"),
    "object": "balance_transaction",
    "amount": Field("amount"),
    "available_on": Field("available_on"),
    "balance_type": "payments",
    "created": Field("created"),
    "currency": Field("currency"),
    "description": Field("description"),
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
    "net": Field("net"),
    "reporting_category": Field("type"),
    "source": Field("source"),
    "status": Field("status"),
    "type": Field("type"),
}


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
    sources = await snapshot.load(list(dict.fromkeys(transfer.source_id for transfer, _ in transfers)))
    found: dict[str, dict[str, object]] = {}
    for transfer, moment_ms in transfers:
        source = sources[transfer.source_id].object if transfer.source_id in sources else None
        identifier = "txn_" + digits(transfer.id)
        # The fee of a charge is a transfer of its own, and a part of the one that the charge names.
        if isinstance(source, Charge | Refund) and identifier in _fees(source):
            body = render_balance_transaction(transfer, moment_ms // 1000, source)
            found[identifier] = msgspec.json.decode(body)
    return found


BALANCE_TRANSACTION = Resource(
    kinds.BALANCE_TRANSACTION,
    struct=BalanceTransaction,
    shape=_SHAPE,
    load=_load,
    expandable={"source": Reference((kinds.CHARGE, kinds.REFUND))},
)


class RetrieveBalance:
    """The endpoint that shows the available and the pending balance."""

    policy = Policy()

    async def answer(self, call: Call) -> Reply:
        """Show the balance. Raises: FastpayError."""
        params = decode_query(NoParams, call.query)
        answers.check_expansions(call, None, params.expand)
        accounts = await call.services.reader.accounts(call.scope)
        return Reply(body=answers.encode(render_balance(accounts, call.scope.livemode)))


class RetrieveBalanceTransaction:
    """The endpoint that shows what one capture or refund did to the balance."""

    policy = Policy()

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
    source: Identifier | UnsetType = UNSET
    type: Text | UnsetType = UNSET


class ListBalanceTransactions:
    """The endpoint that shows balance transactions, newest first."""

    policy = Policy()

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: FastpayError."""
        params = decode_query(BalanceTransactionListParams, call.query)
        paths = answers.check_expansions(call, BALANCE_TRANSACTION, params.expand, listed=True)
        currency = value_or(params.currency, None)
        if currency is not None:
            currency = money.parse_currency(currency)
        wanted = tuple(kind for kind, shown in _TYPES.items() if value_or(params.type, shown) == shown)
        source = value_or(params.source, None)
        if source is not None and not any(kinds.could_be(kind, source) for kind in _SOURCES):
            message = f"No such source: '{presentable(source)}'"
            raise InvalidRequest(message, code="resource_missing", param="source")
        reader, ledger, scope = call.services.reader, call.services.ledger, call.scope

        async def exists(identifier: str) -> bool:
            return len(await _transfers(reader, scope, [identifier])) > 0

        page = await page_of(params, kinds.BALANCE_TRANSACTION, exists)
        snapshots = await begin_page(call, paths)
        if source is None:
            transfers = await ledger.balance_transfers(scope, page, wanted, currency) if wanted else ()
        else:
            transfers = [
                (transfer, moment_ms)
                for transfer, moment_ms in await _of_source(reader, scope, source)
                if page.above < digits(transfer.id) < page.below
                and transfer.kind in wanted
                and currency in {None, transfer.currency}
            ]
        rows, has_more = cut(transfers, page)
        items = list((await _render_all(snapshots, rows)).values())
        await expand(items, paths, snapshots)
        data = await answers.encode_apart(items, snapshots)
        return Reply(body=answers.encode(render_list(call.path, data, has_more)))


async def _of_source(reader: Reader, scope: Scope, source: str) -> Sequence[tuple[Transfer, int]]:
    """Return what a charge or a refund did to the balance, with the moment."""
    found = await reader.get(scope, source)
    if found is None or not isinstance(found.object, Charge | Refund):
        return ()
    named = sorted(_fees(found.object), reverse=True)
    return await _transfers(reader, scope, named) if named else ()


def _fees(source: Charge | Refund) -> Mapping[str, int]:
    """Return the balance transactions of a charge or a refund, each with its fee."""
    if isinstance(source, Charge) and source.extras is not None and source.extras.captures:
        return {one.balance_transaction: one.fee for one in source.extras.captures}
    if source.balance_transaction is None:
        return {}
    return {source.balance_transaction: source.fee if isinstance(source, Charge) else 0}


def render_balance(accounts: Sequence[Account], livemode: bool) -> dict[str, object]:
    """Return the balance over the accounts of one tenant and mode, a line a currency."""
    balances = {
        (account.code, account.currency): account.balance
        for account in accounts
        if account.code in _SHOWN_CODES
    }
    currencies = sorted({currency for _, currency in balances}) or [_FIRST_CURRENCY]
    available, pending = (
        [_funds(balances.get((code, currency), 0), currency) for currency in currencies]
        for code in _SHOWN_CODES
    )
    return {
        "object": "balance",
        "available": available,
        "connect_reserved": [{"amount": 0, "currency": currency} for currency in currencies],
        "livemode": livemode,
        "pending": pending,
    }


def render_balance_transaction(transfer: Transfer, created_s: int, source: Charge | Refund) -> bytes:
    """Return, in JSON, what a capture or a refund did to the balance.

    `created_s` is the time of the transfer in seconds. The dialect has no `livemode` here.
    """
    is_charge = isinstance(source, Charge)
    # A refund is paid out of the balance at once.
    is_available, delay_s, fee = True, 0, _fees(source).get("txn_" + digits(transfer.id), 0)
    if isinstance(source, Charge):
        is_available = source.funds_available
        delay_s = 0 if is_available else source.funds_delay_days * _DAY_S
    amount = transfer.amount if is_charge else -transfer.amount
    shown = BalanceTransaction(
        id="txn_" + digits(transfer.id),
        amount=amount,
        available_on=created_s + delay_s,
        created=created_s,
        currency=transfer.currency,
        description=source.description if isinstance(source, Charge) else None,
        fee=fee,
        has_fee=fee != 0,
        net=amount - fee,
        source=source.id,
        status="available" if is_available else "pending",
        type="charge" if is_charge else "refund",
    )
    return BALANCE_TRANSACTION.render_bytes(shown, False)


def _funds(amount: int, currency: str) -> dict[str, object]:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}


RESOURCES = (BALANCE_TRANSACTION,)
ROUTES = (
    Route("GET", "/v1/balance", RetrieveBalance()),
    Route("GET", "/v1/balance_transactions", ListBalanceTransactions()),
    Route("GET", "/v1/balance_transactions/{id}", RetrieveBalanceTransaction()),
)
