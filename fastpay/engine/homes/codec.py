"""Commands, outcomes and errors as they travel between members, and back.

Commands and snapshots are structs of the domain, which travel under the names of their classes. Only classes
of the domain are ever made from a name. A mapping whose values may be anything (`fields` of a command) keeps
structs and tuples as extensions that name what they are.
"""

import functools
import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_type_hints

import msgspec

from fastpay import errors, limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Command, Versioned
from fastpay.engine.homes import messages
from fastpay.engine.homes.messages import (
    PROTOCOL,
    Answered,
    Changed,
    Committed,
    Failed,
    Forwarded,
    Wanted,
)
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.write.idempotency import submission_digest
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.homes")

_DOMAIN = "fastpay.domain."
_PLAIN = frozenset({str, int, bool, type(None), dict, list})
# What `Forwarded` ends with for most commands, which is left out then.
_PLAIN_REST = ((), False, None, None, None, b"")
# Codes of extensions.
_TUPLE, _STRUCT = 1, 2

_ENCODER = msgspec.msgpack.Encoder()
_FAULT = "An internal error occurred. Nothing was changed."


# An answer before it is encoded: a tuple of the fields of `Answered`, of which the last ones may be left out.
Message = tuple[Any, ...]


class UnsupportedFrame(Exception):
    """The frame is none that a member of the same release sends."""


@functools.cache
def release_name(version: str) -> str:
    """Return a name that two processes share only if they understand each other's messages.

    It contains a digest of all structs of the domain, so that two states of a code base under one version
    are two releases.
    """
    shapes = sorted(
        f"{module.__name__}.{name} {[(field, str(hint)) for field, hint in get_type_hints(one).items()]}"
        for module in list(sys.modules.values())
        if module.__name__.startswith(_DOMAIN)
        for name, one in vars(module).items()
        if isinstance(one, type) and issubclass(one, msgspec.Struct) and one.__module__ == module.__name__
    )
    digest = hashlib.blake2b("\n".join(shapes).encode(), digest_size=6).hexdigest()
    return f"{version}/{PROTOCOL}/{digest}"


def encode_submission(number: int, submission: Submission, now_ns: int) -> bytes:
    """Return a submission as it travels (see `Forwarded`). `now_ns` is on the clock of its deadline.

    Raises: TypeError for a command that cannot travel.
    """
    command, deadline_ns, trace = submission.command, submission.deadline_ns, submission.trace
    # A tuple of the fields has the same bytes as the struct and takes half as long.
    message = (
        number,
        *submission.scope,
        name_of(type(command)),
        _sealed(command),
        submission.request_id,
        submission.moment_ms,
        submission.head,
        submission.tail,
        submission.idempotency_key,
        submission.digest or submission_digest(submission),
        submission.fingerprint,
    )
    rest = (
        submission.expand,
        submission.is_publishable,
        submission.signed,
        None if deadline_ns is None else (deadline_ns - now_ns) // 1_000_000,
        None if trace is None else trace.to_headers(),
        submission.amends,
    )
    return _ENCODER.encode(message if rest == _PLAIN_REST else message + rest)


def decode_submission(forwarded: Forwarded, scope: Scope, now_ns: int) -> Submission:
    """Return the submission of this tenant, with its deadline on our clock and without its trace.

    Raises: msgspec.MsgspecError, UnsupportedFrame.
    """
    left_ms = forwarded.left_ms
    command: Command = _decoder(forwarded.command).decode(forwarded.body)
    return Submission(
        scope=scope,
        command=command,
        request_id=forwarded.request_id,
        moment_ms=forwarded.moment_ms,
        head=forwarded.head,
        tail=forwarded.tail,
        idempotency_key=forwarded.idempotency_key,
        digest=forwarded.digest,
        fingerprint=forwarded.fingerprint,
        expand=forwarded.expand,
        is_publishable=forwarded.is_publishable,
        signed=forwarded.signed,
        deadline_ns=None if left_ms is None else now_ns + left_ms * 1_000_000,
        amends=forwarded.amends,
    )


def scope_of(message: Forwarded | Answered | Committed | Wanted) -> Scope:
    """Return the tenant and mode that a message names."""
    # The constructor of a named tuple takes ten times as long.
    return tuple.__new__(Scope, (message.tenant_id, message.livemode))


def outcome_message(number: int, scope: Scope, outcome: Outcome) -> Message:
    """Return an outcome as it travels (see `Answered`). Raises: TypeError for what cannot travel."""
    objects = [shown_message(one) for one in outcome.objects.values()]
    message = (number, *scope, None, outcome.answer, objects)
    if outcome.original_request_id is None and not outcome.is_signature_spent:
        return message
    return (*message, outcome.original_request_id, outcome.is_signature_spent)


def shown_message(versioned: Versioned) -> Message:
    """Return a version of an object as it travels (see `Shown`). Raises: TypeError for what cannot travel."""
    stored = versioned.object
    return (name_of(type(stored)), versioned.version, versioned.sequence, stored)


def encode_answers(commits: Sequence[bytes], answered: Sequence[Message]) -> bytes:
    """Return the frame of Answers, of commits that are encoded already.

    An outcome that cannot be encoded is answered as unknown: it is committed, and is found under its key.
    """
    try:
        return messages.encode_answers(commits, answered)
    except Exception:  # noqa: BLE001  whatever it is, the other answers are on their way
        return messages.encode_answers(commits, [_checked(one) for one in answered])


def _checked(message: Message) -> Message:
    try:
        _ENCODER.encode(message)
    except Exception as error:  # noqa: BLE001  as above
        _log.exception("member_outcome_failed")
        number, tenant_id, livemode, *_ = message
        return failure_message(number, Scope(tenant_id, livemode), error, is_unknown=True)
    return message


def encode_commit(scope: Scope, before: int, after: int, changed: Iterable[Versioned]) -> bytes:
    """Return a commit as it travels (see `Committed`), with the objects that have a later version now."""
    return _ENCODER.encode((*scope, before, after, [_changed(one) for one in changed]))


def _changed(versioned: Versioned) -> tuple[object, ...]:
    kind, body = name_of(type(versioned.object)), _ENCODER.encode(versioned.object)
    is_small = len(body) <= limits.home_notice_bytes_max
    shown = (kind, msgspec.Raw(body)) if is_small else (None, None)
    return (versioned.object.id, versioned.version, versioned.sequence, *shown)


def failure_message(
    number: int, scope: Scope, error: BaseException, *, is_unbegun: bool = False, is_unknown: bool = False
) -> Message:
    """Return an error as it travels. What is no error for clients stays here: our log has it."""
    known = error if isinstance(error, FastpayError) else FastpayError(_FAULT)
    failed = Failed(
        type(known).__name__,
        known.message,
        known.code,
        known.param,
        known.decline_code,
        is_unbegun=is_unbegun,
        is_unknown=is_unknown,
    )
    return (number, *scope, failed)


def decode_outcome(answered: Answered) -> Outcome:
    """Return the outcome. Raises: msgspec.MsgspecError, UnsupportedFrame."""
    if answered.answer is None:
        raise UnsupportedFrame("no answer")
    objects = {}
    for shown in answered.objects:
        stored = decode_stored(shown.kind, shown.body)
        objects[stored.id] = Versioned(stored, shown.version, shown.sequence)
    return Outcome(
        answer=answered.answer,
        objects=objects,
        original_request_id=answered.original_request_id,
        is_signature_spent=answered.is_signature_spent,
    )


def decode_changed(changed: Changed) -> Versioned | None:
    """Return the version that an object has now, None if it came without.

    Raises: msgspec.MsgspecError, UnsupportedFrame.
    """
    if changed.kind is None:
        return None
    return Versioned(decode_stored(changed.kind, changed.body), changed.version, changed.sequence)


def decode_stored(kind: str, body: msgspec.Raw) -> StoredObject:
    """Return an object. Raises: msgspec.MsgspecError, UnsupportedFrame."""
    stored: StoredObject = _decoder(kind).decode(body)
    return stored


def decode_failure(failed: Failed) -> FastpayError:
    """Return the error. Raises: UnsupportedFrame."""
    kind = getattr(errors, failed.error, None)
    if not (isinstance(kind, type) and issubclass(kind, FastpayError)):
        raise UnsupportedFrame(f"no error {failed.error}")
    return kind(failed.message, code=failed.code, param=failed.param, decline_code=failed.decline_code)


def _sealed(command: Any) -> Any:
    """Return the command with extensions in place of what its loose mappings could not bring back."""
    kind: type = type(command)
    fields, parts = _loose(kind)
    changed = {}
    for name in fields:
        loose: Mapping[str, object] = getattr(command, name)
        if loose and not _PLAIN.issuperset(map(type, loose.values())):
            changed[name] = {key: _seal(value) for key, value in loose.items()}
    for name in parts:
        changed[name] = _sealed(getattr(command, name))
    return msgspec.structs.replace(command, **changed) if changed else command


def _seal(value: object) -> object:
    if isinstance(value, tuple):
        return msgspec.msgpack.Ext(_TUPLE, _ENCODER.encode(value))
    if isinstance(value, msgspec.Struct):
        named = (name_of(type(value)), value)
        return msgspec.msgpack.Ext(_STRUCT, _ENCODER.encode(named))
    return value


def _unseal(code: int, data: memoryview) -> object:
    if code == _TUPLE:
        return msgspec.msgpack.decode(data, type=tuple)
    if code != _STRUCT:
        raise UnsupportedFrame(f"extension {code}")
    name, body = msgspec.msgpack.decode(data, type=tuple[str, msgspec.Raw])
    return _decoder(name).decode(body)


@functools.cache
def _loose(kind: type) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fields whose values have no types, and those that hold a struct with such fields."""
    hints = get_type_hints(kind).items()
    fields = tuple(name for name, hint in hints if hint == Mapping[str, object])
    parts = tuple(name for name, hint in hints if isinstance(hint, type) and _loose(hint)[0])
    return fields, parts


@functools.cache
def name_of(kind: type) -> str:
    """Return the name that a class of the domain travels under. Raises: TypeError for any other class."""
    if not kind.__module__.startswith(_DOMAIN) or not issubclass(kind, msgspec.Struct):
        raise TypeError(f"{kind} cannot travel")
    return f"{kind.__module__.removeprefix(_DOMAIN)}.{kind.__qualname__}"


def _decoder(name: str) -> msgspec.msgpack.Decoder[Any]:
    """Return the decoder of a class of the domain. Raises: UnsupportedFrame for any other name."""
    decoder = _DECODERS.get(name)
    if decoder is None:
        module, _, kind_name = name.rpartition(".")
        kind = getattr(sys.modules.get(_DOMAIN + module), kind_name, None)
        is_known = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        if not is_known or kind.__module__ != _DOMAIN + module:
            raise UnsupportedFrame(f"no class {name[:100]!r}")
        decoder = _DECODERS[name] = msgspec.msgpack.Decoder(kind, ext_hook=_unseal)
    return decoder


# By name. Only classes that exist get in, so their number is bounded.
_DECODERS: dict[str, msgspec.msgpack.Decoder[Any]] = {}
