"""Statements: the entries of an account, newest first, as JSON or as CSV."""

import csv
import io
from collections.abc import Sequence
from typing import Literal, TypedDict

from msgspec import UnsetType

from fastpay.api import answers
from fastpay.api.common_params import refuse_together
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.envelopes import render_list
from fastpay.api.errors import prefers
from fastpay.api.expansion import expand
from fastpay.api.list_params import ListParams
from fastpay.api.resource import Reference, Resource
from fastpay.api.resources.ledger_transfers import TYPES
from fastpay.api.routes import Contract, Policy, Route
from fastpay.api.snapshots import begin_page
from fastpay.domain import kinds
from fastpay.domain.identifiers import digits
from fastpay.domain.ledger import Account, is_own
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.engine.ledger_ports import Entry, EntryPage
from fastpay.errors import InvalidRequest

_CSV_TYPE = "text/csv"
_VARY: tuple[answers.Header, ...] = ((b"vary", b"accept"),)
_COLUMNS = (
    "id",
    "created",
    "sequence",
    "transfer",
    "type",
    "side",
    "amount",
    "currency",
    "balance",
    "available",
    "source",
)


class _Shown(TypedDict):
    id: str
    object: Literal["ledger_entry"]
    account: str
    amount: int
    available: int | None
    balance: int
    created: int
    currency: str
    livemode: bool
    sequence: int
    side: str
    source: str | None
    transfer: str
    type: str


LEDGER_ENTRY = Resource(
    kinds.LEDGER_ENTRY,
    struct=_Shown,
    expandable={
        "account": Reference((kinds.LEDGER_ACCOUNT,)),
        "source": Reference((kinds.CHARGE, kinds.REFUND)),
        "transfer": Reference((kinds.LEDGER_TRANSFER,)),
    },
)


class ListEntries:
    """The endpoint that shows an account's entries, each with the balance after it."""

    policy = Policy()
    contract = Contract(ListParams, LEDGER_ENTRY, "list", media_types=(_CSV_TYPE,))

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: NotFound, InvalidRequest."""
        identifier = kinds.check(kinds.LEDGER_ACCOUNT, call.arguments["id"])
        params = decode_query(ListParams, call.query)
        paths = answers.check_expansions(call, LEDGER_ENTRY, params.expand, listed=True)
        found = await call.services.ledger.balances(call.scope, [identifier], None)
        if not found:
            raise kinds.absent(kinds.LEDGER_ACCOUNT, identifier)
        page = await _page(call, found[0], params)
        snapshots = await begin_page(call, paths)
        entries = await call.services.ledger.entries(call.scope, found[0], page)
        has_more = len(entries) > page.limit
        if has_more:
            # The extra entry is the furthest from the cursor.
            entries = entries[: page.limit] if page.after is None else entries[-page.limit :]
        items: list[dict[str, object]] = [{**_render(entry, call.scope.livemode)} for entry in entries]
        # CSV has no nested objects: it shows identifiers, whatever is to be expanded.
        if prefers(call.headers.get("accept"), _CSV_TYPE):
            return _csv(call, page, items, has_more=has_more)
        await expand(items, paths, snapshots)
        shown = await answers.encode_apart(items, snapshots)
        body = answers.encode(render_list(call.path, shown, has_more))
        return Reply(body=body, headers=_VARY)


def _render(entry: Entry, livemode: bool) -> _Shown:
    """Return one side of a transfer, with the balance of the account after it."""
    return {
        "id": "lent_" + digits(entry.transfer_id),
        "object": "ledger_entry",
        "account": entry.after.id,
        "amount": entry.amount,
        "available": entry.after.available,
        "balance": entry.after.balance,
        "created": entry.created,
        "currency": entry.after.currency,
        "livemode": livemode,
        "sequence": entry.sequence,
        "side": entry.side,
        "source": entry.source_id,
        "transfer": entry.transfer_id,
        "type": TYPES[entry.phase],
    }


async def _page(call: Call, account: Account, params: ListParams) -> EntryPage:
    after, before = params.starting_after, params.ending_before
    if not isinstance(after, UnsetType):
        if not isinstance(before, UnsetType):
            raise refuse_together("starting_after", "ending_before")
        return EntryPage(limit=params.limit, before=await _cursor(call, account, after, "starting_after"))
    if not isinstance(before, UnsetType):
        return EntryPage(limit=params.limit, after=await _cursor(call, account, before, "ending_before"))
    return EntryPage(limit=params.limit)


async def _cursor(call: Call, account: Account, identifier: str, param: str) -> str:
    """Return the transfer of the entry at a cursor. It must be an entry of this account."""
    if kinds.could_be(kinds.LEDGER_ENTRY, identifier):
        prefix = "tr_" if is_own(account.code) else "ltr_"
        transfer_id = prefix + digits(identifier)
        if account.id in await _sides(call, transfer_id):
            return transfer_id
    missing = kinds.absent(kinds.LEDGER_ENTRY, identifier)
    raise InvalidRequest(missing.message, code=missing.code, param=param)


async def _sides(call: Call, transfer_id: str) -> tuple[str, ...]:
    """Return the accounts of a transfer, none if there is no such transfer."""
    reader = call.services.reader
    if transfer_id.startswith("tr_"):
        return tuple(
            side
            for transfer, _ in await reader.transfers(call.scope, [transfer_id])
            for side in (transfer.debit_account_id, transfer.credit_account_id)
        )
    found = await reader.get(call.scope, transfer_id)
    if found is None or not isinstance(found.object, LedgerTransfer):
        return ()
    return found.object.debit_account, found.object.credit_account


def _csv(call: Call, page: EntryPage, items: Sequence[dict[str, object]], *, has_more: bool) -> Reply:
    """Return the entries as CSV (RFC 4180) with a header row. A Link header names the next page.

    No cell contains a client's own text, so no spreadsheet can evaluate one as a formula.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=_COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(items)
    headers = _VARY
    if has_more:
        rel, cursor, item = ("next", "starting_after", items[-1])
        if page.after is not None:
            rel, cursor, item = ("prev", "ending_before", items[0])
        target = f'<{call.path}?limit={page.limit}&{cursor}={item["id"]}>; rel="{rel}"'
        headers += ((b"link", target.encode()),)
    return Reply(body=out.getvalue().encode(), content_type=b"text/csv; charset=utf-8", headers=headers)


RESOURCES = (LEDGER_ENTRY,)
ROUTES = (Route("GET", "/v1/ledger/accounts/{id}/entries", ListEntries()),)
