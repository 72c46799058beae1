"""What was asked and answered in a request, for those who look into it later."""

import re
from typing import Any, Literal, TypedDict

import msgspec

from fastpay.api import answers
from fastpay.api.common_params import NoParams
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.request_notes import SHOWN_AT
from fastpay.api.routes import Contract, Policy, Route
from fastpay.domain import kinds
from fastpay.domain.objects import missing
from fastpay.engine.request_log_ports import LoggedRequest

_REQUEST = kinds.Kind("req", "request")
_IDENTIFIER = re.compile(r"req_[0-9a-f]{24}", re.ASCII)


class _Error(TypedDict):
    type: str
    code: str | None
    decline_code: str | None
    message: str | None
    param: str | None


class ShownRequest(TypedDict):
    """A request, as it is shown."""

    id: str
    object: Literal["request_log"]
    api_key: str | None
    created: int
    duration_ms: int
    error: _Error | None
    idempotency_key: str | None
    livemode: bool
    method: str
    original_request: str | None
    parameters: dict[str, Any] | None
    path: str
    result: str | None
    sequence: int | None
    status: int
    user_agent: str | None


def render(request: LoggedRequest, livemode: bool) -> ShownRequest:
    """Return a request as it is shown."""
    error, parameters = request.error, request.parameters
    return {
        "id": request.request_id,
        "object": "request_log",
        "api_key": request.key_id,
        "created": request.moment_ms // 1000,
        "duration_ms": round(request.duration_us / 1000),
        "error": None
        if error is None
        else {
            "type": error.type,
            "code": error.code,
            "decline_code": error.decline_code,
            "message": error.message,
            "param": error.param,
        },
        "idempotency_key": request.idempotency_key,
        "livemode": livemode,
        "method": request.method,
        "original_request": request.original_request_id,
        "parameters": None if parameters is None else msgspec.json.decode(parameters, type=dict[str, Any]),
        "path": request.path,
        "result": request.object_id,
        "sequence": request.sequence,
        "status": request.status,
        "user_agent": request.user_agent,
    }


class RetrieveRequest:
    """Shows what was asked and answered in a request of the tenant, if it was logged and is kept."""

    policy = Policy()
    contract = Contract(NoParams, ShownRequest, summary="Show what was asked and answered in a request")

    async def answer(self, call: Call) -> Reply:
        """Show it. Raises: NotFound."""
        identifier, notes = call.arguments["id"], call.services.request_notes
        decode_query(NoParams, call.query)
        found = None
        if notes is not None and _IDENTIFIER.fullmatch(identifier) is not None:
            found = await notes.log.find(call.scope, identifier)
        if found is None:
            raise missing(_REQUEST, kinds.presentable(identifier))
        return Reply(body=answers.encode(render(found, call.scope.livemode)))


RESOURCES = ()
ROUTES = (Route("GET", f"{SHOWN_AT}{{id}}", RetrieveRequest()),)
