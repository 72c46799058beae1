"""Whatever a command or a snapshot holds comes back as it was, and nothing else comes in."""

import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from fastpay import errors
from fastpay.api import app
from fastpay.domain import kinds
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.domain.plan import Answer, ErrorRecord, Versioned
from fastpay.engine.homes import codec, messages
from fastpay.engine.homes.codec import UnsupportedFrame
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.write.idempotency import submission_digest
from fastpay.errors import FastpayError, InvalidRequest
from tests.support.samples import SHIPPING

# Importing the application imports all of the domain.
assert app.__name__
COMMANDS = [
    one
    for module in list(sys.modules.values())
    if module.__name__.startswith("fastpay.domain.")
    for one in vars(module).values()
    if isinstance(one, type) and hasattr(one, "execute") and issubclass(one, msgspec.Struct)
]
SNAPSHOTS = [*(kind.struct for kind in kinds.STORED.values()), LedgerTransfer]
LOOSE = {"shipping": SHIPPING, "preferred_locales": ("de", "en"), "name": "Ada", "phone": None, "used": True}
SCOPE = Scope("0" * 32, livemode=True)


def example(hint: Any) -> Any:
    """Return a value of a type, with something in everything."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return example(next(one for one in reversed(arguments) if one is not type(None)))
    if origin is typing.Literal:
        return arguments[0]
    if hint == Mapping[str, object]:
        return LOOSE
    if origin in (dict, Mapping):
        return {example(arguments[0]): example(arguments[1])}
    if origin is tuple and Ellipsis not in arguments:
        return tuple(example(one) for one in arguments)
    if origin in (list, tuple):
        return origin([example(arguments[0])])
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        fields = get_type_hints(hint)
        return hint(**{name: example(fields[name]) for name in hint.__struct_fields__})
    return {str: "text", int: 1 << 40, bool: True, bytes: b"\xff"}[hint]


def submission(command: Any, **more: Any) -> Submission:
    values: dict[str, Any] = {
        "scope": SCOPE,
        "request_id": "req_1",
        "moment_ms": 1 << 41,
        "head": (1 << 64) - 1,
        "tail": b"12345678",
    }
    return Submission(command=command, **(values | more))


def travel(sent: Submission, *, now_ns: int = 0, there_ns: int = 0) -> Submission:
    """Return what arrives at another instance, whose monotonic clock is another one."""
    forwarded = forward(sent, now_ns=now_ns)
    assert forwarded.number == 7
    return codec.decode_submission(forwarded, codec.scope_of(forwarded), there_ns)


def forward(sent: Submission, *, now_ns: int = 0) -> messages.Forwarded:
    """Return a submission as it arrives at another instance."""
    frame = messages.encode_forward([codec.encode_submission(7, sent, now_ns)])
    message = messages.decode(frame)
    assert isinstance(message, messages.Forward)
    (forwarded,) = message.submissions
    return forwarded


def answer(answered: codec.Message) -> messages.Answered:
    """Return an answer as it arrives at the instance that has asked."""
    message = messages.decode(codec.encode_answers([], [answered]))
    assert isinstance(message, messages.Answers)
    return message.answered[0]


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_every_command_arrives_as_it_was_sent(kind: type) -> None:
    sent = submission(
        example(kind),
        idempotency_key="key",
        fingerprint=b"\x00\xff",
        expand=("customer",),
        is_publishable=True,
        signed="ab",
    )
    came = travel(sent)
    digest = submission_digest(sent)
    assert came == msgspec.structs.replace(sent, digest=digest)
    for name in codec._loose(kind)[0]:
        assert [type(value) for value in getattr(came.command, name).values()] == [
            type(value) for value in LOOSE.values()
        ]


@pytest.mark.parametrize("kind", SNAPSHOTS, ids=lambda kind: kind.__name__)
def test_every_snapshot_arrives_as_it_was_sent(kind: type) -> None:
    versioned = Versioned(example(kind), 3, 1 << 40)
    sent = Outcome(
        answer=Answer(versioned.object.id, 9, ("customer",), ErrorRecord(402, "card_error", None, "no")),
        objects={versioned.object.id: versioned},
        original_request_id="req_0",
        is_signature_spent=True,
    )
    for outcome in (sent, msgspec.structs.replace(sent, original_request_id=None, is_signature_spent=False)):
        answered = answer(codec.outcome_message(7, SCOPE, outcome))
        assert (answered.number, codec.scope_of(answered)) == (7, SCOPE)
        assert codec.decode_outcome(answered) == outcome


def test_an_outcome_that_cannot_be_encoded_is_unknown_and_others_in_the_frame_arrive() -> None:
    unfit: codec.Message = (1, *SCOPE, None, Answer(None, 1 << 64), [])
    sent: codec.Message = (2, *SCOPE, None, Answer(None, 3), [])
    message = messages.decode(codec.encode_answers([], [unfit, sent]))
    assert isinstance(message, messages.Answers)
    lost, came = message.answered
    assert lost.failed is not None
    assert (lost.number, codec.scope_of(lost), lost.failed.is_unknown) == (1, SCOPE, True)
    assert (came.number, came.failed, came.answer) == (2, None, Answer(None, 3))


def test_a_deadline_is_a_span_that_both_clocks_measure() -> None:
    sent = submission(example(COMMANDS[0]), deadline_ns=5_000_000_000)
    assert travel(sent, now_ns=4_000_000_000, there_ns=70_000_000_000).deadline_ns == 71_000_000_000


def test_every_error_arrives_as_it_was_raised_and_a_fault_of_ours_tells_nothing() -> None:
    classes = [
        one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, FastpayError)
    ]
    for one in classes:
        raised = one("why", code="code", param="param", decline_code="decline")
        failed = answer(codec.failure_message(1, SCOPE, raised)).failed
        assert failed is not None
        came = codec.decode_failure(failed)
        assert (type(came), vars(came)) == (one, vars(raised))
    hidden = answer(codec.failure_message(1, SCOPE, KeyError("secret"))).failed
    assert hidden is not None
    assert "secret" not in hidden.message


def test_what_is_no_class_of_the_domain_is_neither_sent_nor_made() -> None:
    with pytest.raises(TypeError):
        codec.encode_submission(1, submission(submission(None)), 0)
    forwarded = forward(submission(example(COMMANDS[0])))
    for name in (
        "os.system",
        "plan.Draft",
        "kinds.msgspec",
        "plan.FastpayError",
        "..errors.InvalidRequest",
        "",
    ):
        with pytest.raises(UnsupportedFrame):
            codec.decode_submission(msgspec.structs.replace(forwarded, command=name), SCOPE, 0)
    with pytest.raises(UnsupportedFrame):
        codec.decode_failure(messages.Failed("Exception", "no"))
    assert isinstance(codec.decode_failure(messages.Failed("InvalidRequest", "no")), InvalidRequest)
