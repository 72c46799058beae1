"""Answers: objects and errors to the bytes that go back."""

from collections.abc import Mapping, Sequence

import msgspec

from fastpay import limits
from fastpay.api.context import Call, Reply
from fastpay.api.errors import (
    JSON_TYPE,
    PROBLEM_TYPE,
    Failure,
    error_body,
    problem_body,
    retry_headers,
    status_of,
    wants_problem,
)
from fastpay.api.expansion import check_paths, expand
from fastpay.api.resource import Resource
from fastpay.api.snapshots import Snapshots
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import ErrorRecord
from fastpay.engine.ports import Outcome
from fastpay.errors import Forbidden

Header = tuple[bytes, bytes]


def check_expansions(
    call: Call, resource: Resource | None, paths: Sequence[str], *, listed: bool = False
) -> tuple[str, ...]:
    """Return the paths to expand in objects of this resource; None stands for objects without references.

    Raises: InvalidRequest for one that leads nowhere, Forbidden for any with a publishable key.
    """
    if not paths:
        return ()
    if call.is_publishable:
        raise Forbidden("Expanding needs a secret key.", param="expand")
    expandable = {} if resource is None else resource.expandable
    return check_paths(call.services.resources, expandable, paths, listed=listed)


def plain(call: Call, resource: Resource, outcome: Outcome) -> bytes | None:
    """Return the JSON of the object that a command made, None if the answer needs more or less than it."""
    answer = outcome.answer
    credentials = call.credentials
    if answer.expand or answer.error is not None or credentials.kind == "publishable":
        return None
    versioned = outcome.objects.get(answer.object_id or "")
    # A later command of the same batch may have changed the object: then it has to be read as it was.
    if versioned is None or versioned.sequence > answer.sequence or not resource.is_plain(versioned.object):
        return None
    return resource.render_bytes(versioned.object, credentials.scope.livemode)


async def committed(call: Call, resource: Resource, outcome: Outcome) -> Reply:
    """Return the answer to a command that was committed, now or under the same key before.

    `resource` is what the command answers with.
    """
    answer = outcome.answer
    headers = _replay_headers(outcome)
    at_hand = {
        identifier: versioned
        for identifier, versioned in outcome.objects.items()
        if versioned.sequence <= answer.sequence
    }
    snapshots = Snapshots(call, at_hand, sequence=answer.sequence)
    if answer.error is not None:
        # A replay is the first answer, byte for byte, and so names the first request.
        url = _request_log_url(call, outcome.original_request_id or call.request_id)
        return await _failed(call, answer.error, snapshots, headers, request_log_url=url)
    assert answer.object_id is not None
    found = await snapshots.load((answer.object_id,))
    body = await shown(call, resource, found[answer.object_id].object, snapshots, paths=answer.expand)
    return Reply(body=body, headers=headers)


async def shown(
    call: Call, resource: Resource, stored: StoredObject, snapshots: Snapshots, *, paths: Sequence[str] = ()
) -> bytes:
    """Return the JSON of an object as this caller may see it, expanded along paths."""
    body = None if paths else await _in_full(call, resource, stored, snapshots)
    return encode(await _expanded(call, resource, stored, snapshots, paths)) if body is None else body


async def _in_full(
    call: Call, resource: Resource, stored: StoredObject, snapshots: Snapshots
) -> bytes | None:
    """Return the JSON of an object with what is shown whole in it; None if a part must be left out."""
    if call.is_publishable:
        return None
    livemode, resources = call.scope.livemode, call.services.resources
    identifier = resource.whole_in(stored)
    if identifier is None:
        return resource.render_bytes(stored, livemode)
    found = (await snapshots.load((identifier,))).get(identifier)
    whole = None if found is None else resources.of_object(found.object).render_bytes(found.object, livemode)
    return resource.render_bytes(stored, livemode, whole)


async def _expanded(
    call: Call, resource: Resource, stored: StoredObject, snapshots: Snapshots, paths: Sequence[str]
) -> dict[str, object]:
    body = resource.render(stored, call.scope.livemode)
    await expand((body,), paths, snapshots)
    if call.is_publishable:
        hidden = resource.secret_fields
        return {name: value for name, value in body.items() if name not in hidden}
    return body


def failure(
    error: Failure,
    headers: Mapping[str, str],
    *,
    more: tuple[Header, ...] = (),
    request_log_url: str | None = None,
    public_url: str | None = None,
) -> Reply:
    """Return the answer to a request that failed."""
    body = error_body(error, request_log_url=request_log_url, public_url=public_url)
    return _error_reply(error, body, headers, more=(*retry_headers(error), *more))


def encode(body: Mapping[str, object]) -> bytes:
    """Return the JSON of an answer."""
    return msgspec.json.encode(body)


async def encode_apart(items: Sequence[dict[str, object]], snapshots: Snapshots) -> list[msgspec.Raw]:
    """Return items in JSON, encoded one by one, since each may contain hundreds of objects."""
    encoded = []
    size = 0
    for item in items:
        encoded.append(msgspec.Raw(msgspec.json.encode(item)))
        size += len(encoded[-1])
        if size > limits.encoded_at_once_bytes:
            size = 0
            await snapshots.step()
    return encoded


def _request_log_url(call: Call, request_id: str) -> str | None:
    notes = call.services.request_notes
    return None if notes is None else notes.url_of(request_id)


async def _failed(
    call: Call,
    error: ErrorRecord,
    snapshots: Snapshots,
    headers: tuple[Header, ...],
    *,
    request_log_url: str | None,
) -> Reply:
    concerned = {name: getattr(error, name) for name in ("payment_intent", "payment_method", "setup_intent")}
    await snapshots.load([identifier for identifier in concerned.values() if identifier is not None])
    objects = {name: await _concerned(call, identifier, snapshots) for name, identifier in concerned.items()}
    public_url = call.services.settings.public_url
    body = error_body(error, request_log_url=request_log_url, public_url=public_url, objects=objects)
    return _error_reply(error, body, call.headers, more=(*retry_headers(error), *headers))


async def _concerned(
    call: Call, identifier: str | None, snapshots: Snapshots
) -> dict[str, object] | msgspec.Raw | None:
    if identifier is None:
        return None
    found = (await snapshots.load((identifier,))).get(identifier)
    if found is None:
        return None
    resource = call.services.resources.of_object(found.object)
    body = await _in_full(call, resource, found.object, snapshots)
    return await _expanded(call, resource, found.object, snapshots, ()) if body is None else msgspec.Raw(body)


def _error_reply(
    error: Failure, body: dict[str, object], headers: Mapping[str, str], *, more: tuple[Header, ...]
) -> Reply:
    content_type = JSON_TYPE
    if wants_problem(headers.get("accept")):
        body, content_type = problem_body(error, instance=None), PROBLEM_TYPE
    return Reply(status=status_of(error), body=encode(body), content_type=content_type.encode(), headers=more)


def _replay_headers(outcome: Outcome) -> tuple[Header, ...]:
    if outcome.original_request_id is None:
        return ()
    return (
        (b"idempotent-replayed", b"true"),
        (b"original-request", outcome.original_request_id.encode()),
    )
