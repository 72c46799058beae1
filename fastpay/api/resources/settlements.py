"""Settlements of processors: what each file comes to, its rows, and how differences are accepted."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypedDict

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api import answers
from fastpay.api.common_params import NoParams, Params
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.envelopes import render_list
from fastpay.api.layout import Field, Mode, Shape, fields
from fastpay.api.list_params import CreatedListParams, ListParams
from fastpay.api.lists import List, absent, cursors, require_owner
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Resource
from fastpay.api.routes import Contract, Policy, Route
from fastpay.api.writes import Write
from fastpay.domain import kinds
from fastpay.domain.identifiers import digits
from fastpay.domain.settlement_rows import RowStatus, RowType
from fastpay.domain.settlements import AcceptDifference, CloseSettlement, RecordMatching, Settlement
from fastpay.engine.processors.settlement_ports import ShownRow
from fastpay.engine.processors.settling import Settling
from fastpay.errors import NotFound

# The last digits of a row's identifier are its position, and the others are its settlement's.
_POSITION_DIGITS = 8


class SettlementListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settlements, or those of one processor."""

    processor: Annotated[str, Meta(max_length=limits.processor_name_chars_max)] | UnsetType = UNSET


class RowListParams(ListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows, or those that have one status."""

    status: RowStatus | UnsetType = UNSET


class AcceptParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a difference is accepted."""

    reason: Annotated[str, Meta(min_length=1, max_length=limits.settlement_reason_chars_max)]


_SHAPE: Shape = {
    "id": Field("id"),
    "object": "fastpay.settlement",
    **fields("accepted", "closed_at", "created", "currency"),
    "differences": Field("differences"),
    "fee": Field("fee"),
    "gross": Field("gross"),
    "livemode": Mode(),
    "net": Field("net"),
    "ours": Field("ours"),
    "processor": Field("processor"),
    "row_count": Field("rows"),
    "status": Field("status"),
}


class _Acceptance(TypedDict):
    amount: int
    by: str
    created: int
    reason: str
    transfer: str | None


class _Row(TypedDict):
    id: str
    object: Literal["fastpay.settlement_row"]
    acceptance: _Acceptance | None
    attempt: str | None
    currency: str
    fee: int
    gross: int
    line: int | None
    livemode: bool
    net: int
    ours: int
    processor_id: str | None
    reference: str | None
    settlement: str
    status: RowStatus
    type: RowType
    value_date: str | None


SETTLEMENT = Resource(kinds.SETTLEMENT, shape=_SHAPE)
SETTLEMENT_ROW = Resource(kinds.SETTLEMENT_ROW, struct=_Row)


class ListRows:
    """The endpoint that shows the rows of a settlement, in the order of the file."""

    policy = Policy()
    contract = Contract(RowListParams, SETTLEMENT_ROW, "list")

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: NotFound, InvalidRequest."""
        params = decode_query(RowListParams, call.query)
        answers.check_expansions(call, SETTLEMENT_ROW, params.expand, listed=True)
        owner = await require_owner(call, kinds.SETTLEMENT)
        assert isinstance(owner, Settlement)

        async def cursor(identifier: str, param: str) -> int:
            position = _position(owner.id, identifier)
            if position is None:
                raise absent(kinds.SETTLEMENT_ROW, identifier, param)
            return position

        # These rows are in ascending order: what comes after a cursor is above it.
        after, before = await cursors(params, cursor, lowest=limits.settlement_positions_max, highest=0)
        rows = await _settling(call).rows.rows(
            call.scope,
            owner.id,
            above=after,
            below=before,
            descending=before != limits.settlement_positions_max,
            limit=params.limit,
            status=None if isinstance(params.status, UnsetType) else params.status,
        )
        has_more = len(rows) > params.limit
        if has_more:
            # The extra row is the furthest from the cursor.
            rows = rows[: params.limit] if before == limits.settlement_positions_max else rows[1:]
        body = render_list(call.path, _render(owner, rows, call.scope.livemode), has_more)
        return Reply(body=answers.encode(body))


class Accept(Write[AcceptParams]):
    """The endpoint that accepts the difference of a row: what that is, is read before."""

    async def answer(self, call: Call) -> Reply:
        """Accept it. Raises: FastpayError."""
        reply = await super().answer(call)
        if reply.status != 200:
            await _settling(call).abandon(call.scope, call.arguments["id"], _require_position(call))
        return reply

    async def prepared(self, call: Call, params: AcceptParams) -> Call:
        """Return the call with the difference, and mark its row. Raises: NotFound."""
        settlement = (await require_owner(call, kinds.SETTLEMENT)).id
        by = f"request {call.request_id}"
        acceptance = await _settling(call).acceptance(
            call.scope, settlement, _require_position(call), by=by, reason=params.reason
        )
        return msgspec.structs.replace(call, acceptance=acceptance)


class Match(Write[NoParams]):
    """The endpoint that matches rows anew: that is done before, and the command writes what they come to."""

    async def prepared(self, call: Call, params: NoParams) -> Call:
        """Return the call with what the rows come to. Raises: NotFound, UnexpectedState."""
        settlement = (await require_owner(call, kinds.SETTLEMENT)).id
        matching = await _settling(call).matching(call.scope, settlement)
        return msgspec.structs.replace(call, matching=matching)


def match(call: Call, params: NoParams) -> RecordMatching:
    """Match the rows of a settlement anew, with what is known of their attempts by now."""
    # A settlement that exists has rows.
    assert call.matching is not None
    return call.matching


def accept(call: Call, params: AcceptParams) -> AcceptDifference:
    """Accept the difference of a row, and post it to settlement_differences."""
    assert call.acceptance is not None
    return call.acceptance


def close(call: Call, params: NoParams) -> CloseSettlement:
    """Close a settlement at zero difference, and post what came to the bank and the fees."""
    return CloseSettlement(id=call.arguments["id"])


def _render(owner: Settlement, rows: Sequence[ShownRow], livemode: bool) -> list[dict[str, object]]:
    acceptances = {one.position: one for one in owner.acceptances}
    shown: list[dict[str, object]] = []
    for row in rows:
        found = acceptances.get(row.position)
        acceptance: _Acceptance | None = None
        if found is not None:
            acceptance = {
                "amount": found.amount,
                "by": found.by,
                "created": found.at,
                "reason": found.reason,
                "transfer": found.transfer or None,
            }
        one: _Row = {
            "id": f"stlr_{digits(owner.id)[:-_POSITION_DIGITS]}{row.position:0{_POSITION_DIGITS}x}",
            "object": "fastpay.settlement_row",
            "acceptance": acceptance,
            "attempt": row.attempt,
            "currency": owner.currency,
            "fee": row.fee,
            "gross": row.gross,
            "line": row.line,
            "livemode": livemode,
            "net": row.net,
            "ours": row.ours,
            "processor_id": row.processor_id,
            "reference": row.reference,
            "settlement": owner.id,
            "status": row.status,
            "type": row.type,
            "value_date": None if row.value_date is None else row.value_date.isoformat(),
        }
        shown.append({**one})
    return shown


def _position(settlement: str, row: str) -> int | None:
    """Return the position of a row, None if it is of another settlement."""
    is_ours = kinds.could_be(kinds.SETTLEMENT_ROW, row) and (
        digits(row)[:-_POSITION_DIGITS] == digits(settlement)[:-_POSITION_DIGITS]
    )
    position = int(row[-_POSITION_DIGITS:], 16) if is_ours else 0
    return position if 0 < position < limits.settlement_positions_max else None


def _require_position(call: Call) -> int:
    """Return the position of the row that a request names. Raises: NotFound."""
    position = _position(call.arguments["id"], call.arguments["row"])
    if position is None:
        raise kinds.absent(kinds.SETTLEMENT_ROW, call.arguments["row"])
    return position


def _settling(call: Call) -> Settling:
    """Return what settles. Raises: NotFound in a process that has no live payments."""
    if call.services.live_payments is None:
        raise NotFound("This server has no processors.")
    return call.services.live_payments.settling


_PATH = "/v1/processors/settlements"
RESOURCES = (SETTLEMENT, SETTLEMENT_ROW)
ROUTES = (
    Route("GET", _PATH, List(SETTLEMENT, SettlementListParams, filters={"processor": None})),
    Route("GET", _PATH + "/{id}", Retrieve(SETTLEMENT, NoParams)),
    Route("GET", _PATH + "/{id}/rows", ListRows()),
    Route("POST", _PATH + "/{id}/rows/{row}/accept", Accept(SETTLEMENT, AcceptParams, accept)),
    Route("POST", _PATH + "/{id}/match", Match(SETTLEMENT, NoParams, match, path_kind=kinds.SETTLEMENT)),
    Route("POST", _PATH + "/{id}/close", Write(SETTLEMENT, NoParams, close, path_kind=kinds.SETTLEMENT)),
)
