"""Carries out what operators ask for webhook endpoints, with the endpoints of the API that clients call.

So parameters are decoded and checked, secrets made and errors worded as for clients. What differs is the
writer that they get: it names the operator, and takes the key of the form for the idempotency key.
"""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec

from fastpay._native.headers import Headers
from fastpay.admin.console.ports import Done, Operator, Order
from fastpay.api.context import Call, Services
from fastpay.api.decoding import FORM
from fastpay.api.resources import webhook_endpoints
from fastpay.domain.identifiers import Scope, is_well_formed
from fastpay.domain.webhook_endpoints import WebhookEndpoint
from fastpay.engine.ports import Credentials, OperatorAction, Outcome, Submission, Writer
from fastpay.engine.write.idempotency import key_digest
from fastpay.errors import InvalidRequest, NotFound
from fastpay.operations.console.administrator import STALE
from fastpay.store.keys import read_fingerprint_key
from fastpay.store.reads import PostgresReads
from fastpay.store.sealing import Vault
from fastpay.store.statements import SQL

Pairs = list[tuple[str, str]]

_SECONDS_AN_HOUR = 3_600
_PATH = "/v1/webhook_endpoints"
_ENDPOINTS = {(route.method, route.path): route.endpoint for route in webhook_endpoints.ROUTES}


class _Asked(NamedTuple):
    """An action: its name in the audit trail, its method and path in the API, and its form's parameters."""

    noted: str
    method: str
    rest: str
    params: Callable[[Mapping[str, str]], Pairs]


class OperatorsWriter:
    """The writer as one order uses it: it notes the operator, and carries the form out once."""

    def __init__(self, writer: Writer, operator: Operator, order: Order, noted: str) -> None:
        self._writer = writer
        self._action = OperatorAction(operator.name, noted, order.subject)
        self._idempotency_key = idempotency_key(order)
        asked = (operator.operator_id.hex, order.subject, order.action, *_typed(order))
        self._fingerprint = hashlib.sha256("\0".join(asked).encode()).digest()

    def admit(self, scope: Scope) -> None:
        """Raise Overloaded if a command would be refused now."""
        self._writer.admit(scope)

    async def submit(self, submission: Submission) -> Outcome:
        """Commit a command together with the note of it. Raises: FastpayError."""
        return await self._writer.submit(self.noted(submission))

    def noted(self, submission: Submission) -> Submission:
        """Return a submission with the note of the operator and the key of the form."""
        return msgspec.structs.replace(
            submission,
            action=self._action,
            idempotency_key=self._idempotency_key,
            fingerprint=self._fingerprint,
        )


class EndpointDesk:
    """Has the endpoints of the API do it."""

    def __init__(self, services: Services, reads: PostgresReads, vault: Vault) -> None:
        self._services = services
        self._reads = reads
        self._vault = vault

    async def carry_out(self, operator: Operator, order: Order) -> Done:
        """Commit it together with the note of it. Raises: FastpayError."""
        asked, scope = _ASKED.get(order.action), Scope(order.tenant_id, order.livemode)
        is_new = order.action == "create" and order.subject == order.tenant_id
        if asked is None or not (is_new or is_well_formed(order.subject, WebhookEndpoint.prefix)):
            raise NotFound("There is no such action.")
        key = await read_fingerprint_key(self._reads.fetch, uuid.UUID(order.tenant_id), self._vault)
        if key is None:
            raise NotFound("There is no such tenant.")
        if "seen" in order.fields:
            await self._check_seen(scope, order)
        writer = OperatorsWriter(self._services.writer, operator, order, f"endpoint.{asked.noted}")
        services = self._services
        call = Call(
            services=msgspec.structs.replace(services, writer=writer, request_notes=None),
            credentials=Credentials(scope=scope, kind="secret", fingerprint_key=key),
            request_id=services.identifiers.request_id(),
            method=asked.method,
            path=_PATH,
            arguments={} if is_new else {"id": order.subject},
            headers=Headers([(b"content-type", FORM.encode())]),
            asgi={},
            query=b"",
            unread=[urlencode(asked.params(order.fields)).encode()],
        )
        template = _PATH if is_new else f"{_PATH}/{{id}}{asked.rest}"
        reply = await _ENDPOINTS[asked.method, template].answer(call)
        shown = msgspec.json.decode(reply.body)
        if reply.status != 200:
            raise InvalidRequest(shown["error"]["message"])
        mode = "live" if order.livemode else "test"
        folder = f"/console/endpoints/{order.tenant_id}/{mode}"
        if is_new or "secret" in shown:
            return Done(f"{folder}/{shown['id']}", "The secret that signs the events", shown["secret"])
        return Done(folder if order.action == "delete" else "")

    async def _check_seen(self, scope: Scope, order: Order) -> None:
        """Raise InvalidRequest if the endpoint has changed since the page was opened.

        Unless this very form did it: then the answer is that of the first time.
        """
        reading = await self._reads.read_latest([(scope, order.subject)])
        version = next((str(versioned.version) for versioned in reading.objects), "")
        if version != order.fields["seen"] and not await is_carried_out(self._reads, order):
            raise InvalidRequest(STALE)


def idempotency_key(order: Order) -> str:
    """Return the key under which a form is carried out once."""
    # No client can send this one: theirs have no line break.
    return f"console\n{order.key}"


async def is_carried_out(reads: PostgresReads, order: Order) -> bool:
    """Tell whether a form was sent before, and has an answer."""
    scope = Scope(order.tenant_id, order.livemode)
    digest = key_digest(scope, idempotency_key(order), is_publishable=False)
    found = await reads.fetch(SQL["load_idempotency"], [digest], [scope.tenant_id], [scope.livemode])
    return bool(found)


def _typed(order: Order) -> list[str]:
    own = {name: value for name, value in order.fields.items() if name not in ("token", "key")}
    return [part for pair in sorted(own.items()) for part in pair]


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _create(fields: Mapping[str, str]) -> Pairs:
    pairs = _settings(fields)
    if fields.get("start", "").strip():
        pairs.append(("fastpay[start_after_sequence]", fields["start"].strip()))
    # What is empty is left out: there is nothing to unset yet.
    return [(name, value) for name, value in pairs if value]


def _settings(fields: Mapping[str, str]) -> Pairs:
    """Return the parameters that a form gives. Of headers, whose values it cannot show, it may give none."""
    pairs = [
        ("url", fields.get("url", "").strip()),
        ("description", fields.get("description", "").strip()),
        ("fastpay[order]", fields.get("order", "parallel")),
        ("fastpay[payload]", fields.get("payload", "full")),
        ("fastpay[requests_per_second]", fields.get("rate", "").strip()),
        *(("enabled_events[]", word) for word in _words(fields.get("events", ""))),
    ]
    if "without_headers" in fields:
        pairs.append(("fastpay[headers]", ""))
        return pairs
    for line in fields.get("headers", "").split("\n"):
        name, colon, value = line.strip().partition(":")
        if name and not colon:
            raise InvalidRequest("Type each header on a line of its own, as Name: value.", param="headers")
        if "[" in name or "]" in name:
            raise InvalidRequest("The name of a header has no brackets.", param="headers")
        if name:
            pairs.append((f"fastpay[headers][{name.strip()}]", value.strip()))
    return pairs


def _rotate(fields: Mapping[str, str]) -> Pairs:
    hours = fields.get("hours", "").strip() or "0"
    if not hours.isascii() or not hours.isdigit():
        raise InvalidRequest("Type a whole number of hours.", param="hours")
    return [("overlap_seconds", str(int(hours[:9]) * _SECONDS_AN_HOUR))]


def _replay(fields: Mapping[str, str]) -> Pairs:
    names = (("event", "event"), ("from", "from_sequence"), ("to", "to_sequence"))
    pairs = [(name, fields[typed].strip()) for typed, name in names if fields.get(typed, "").strip()]
    return pairs + [("types[]", word) for word in _words(fields.get("types", ""))]


def _nothing(_: Mapping[str, str]) -> Pairs:
    return []


def _disable(_: Mapping[str, str]) -> Pairs:
    return [("disabled", "true")]


_ASKED: Mapping[str, _Asked] = {
    "create": _Asked("created", "POST", "", _create),
    "update": _Asked("updated", "POST", "", _settings),
    "disable": _Asked("disabled", "POST", "", _disable),
    "enable": _Asked("enabled", "POST", "/enable", _nothing),
    "ping": _Asked("pinged", "POST", "/ping", _nothing),
    "replay": _Asked("replayed", "POST", "/replay", _replay),
    "rotate": _Asked("secret_rotated", "POST", "/rotate_secret", _rotate),
    "delete": _Asked("deleted", "DELETE", "", _nothing),
}
