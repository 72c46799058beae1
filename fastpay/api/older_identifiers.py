"""Requests that name imported objects as an older API did."""

from collections.abc import Mapping, MutableSequence

from fastpay.api import references
from fastpay.domain.identifiers import Scope
from fastpay.engine.rollout.imported import Imported


async def as_ours(
    imported: Imported,
    scope: Scope,
    headers: Mapping[str, str],
    arguments: Mapping[str, str],
    written: tuple[bytes, MutableSequence[bytes]],
) -> tuple[Mapping[str, str], bytes]:
    """Return the arguments of a path and the query with our identifiers, and put them into the body.

    `written` are the query and a list that has the body, if there is one. To be called after the signature
    was checked, which is of what the client has written. Raises: DatabaseUnavailable, Overloaded.
    """
    query, unread = written
    body, content_type = unread[0] if unread else b"", headers.get("content-type", "")
    named = [*arguments.values(), *references.named_in(query, body, content_type)]
    ours = await imported.ours_of(scope, filter(references.is_reference, named))
    if not ours:
        return arguments, query
    if body:
        unread[0] = references.body_with_ours(body, content_type, ours)
    renamed = {name: ours.get(value, value) for name, value in arguments.items()}
    return renamed, references.with_ours(query, ours)
