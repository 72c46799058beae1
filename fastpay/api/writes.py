"""The writing half of the surface: parameters to a command, and the command to the engine."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from fastpay import limits
from fastpay._native import digit_runs
from fastpay.api import answers, card_numbers, kinds
from fastpay.api.authentication import refuse_repeated
from fastpay.api.card_texts import may_hold_card_number
from fastpay.api.context import Call, Reply
from fastpay.api.deadlines import in_time
from fastpay.api.decoding import decode_params
from fastpay.api.fingerprints import Fingerprints
from fastpay.api.params.common import Params
from fastpay.domain.plan import Command
from fastpay.engine.ports import Submission
from fastpay.errors import FastpayError, InvalidRequest, OutcomeUnknown

_Params = TypeVar("_Params", bound=Params)

# A structured string of RFC 9651 3.3.3 without its quotes.
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"', re.ASCII)
_ESCAPED = re.compile(r'\\(["\\])')
_TIMEOUT = re.compile(r"[0-9]{1,9}", re.ASCII)
_PRINTABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", re.ASCII)


class Write(Generic[_Params]):
    """An endpoint that changes something.

    `command` makes the command; `shows` is the kind of object that the answer shows; `names` gives the
    kinds of the identifiers in the path. `check` sees the parameters first, and is what a publishable key
    must get past: without it there is no way for one. `decode` reads requests that are not read as all others
    are; `is_trial` tells those that change nothing, and so keep no answer either. A body may be `body_factor`
    times as large as others.
    """

    def __init__(
        self,
        params_type: type[_Params],
        command: Callable[[Call, _Params], Command],
        *,
        shows: str,
        names: Mapping[str, kinds.Kind] | None = None,
        check: Callable[[Call, _Params], Awaitable[None]] | None = None,
        decode: Callable[[Call], Awaitable[_Params]] | None = None,
        is_trial: Callable[[_Params], bool] | None = None,
        body_factor: int = 1,
    ) -> None:
        self._params_type = params_type
        self._command = command
        self._shows = shows
        self._names = names or {}
        self._check = check
        self._decode = decode
        self._is_trial = is_trial
        self._fingerprints = Fingerprints(params_type)
        self.body_factor = body_factor

    @property
    def is_public(self) -> bool:
        """Whether a publishable key may come this far."""
        return self._check is not None

    # The writer has deadlines of its own.
    is_brief = True
    is_gated = False

    async def answer(self, call: Call) -> Reply:
        """Commit what the request wants. Raises: FastpayError."""
        # Who comes in vain is told so before anything is done for him.
        call.services.writer.admit(call.scope)
        deadline_ns = _deadline(call)
        idempotency_key = parse_idempotency_key(call.headers.get("idempotency-key"))
        if idempotency_key is not None and digit_runs.in_text(idempotency_key):
            call.services.card_texts.check_idempotency_key(idempotency_key)
        for name, kind in self._names.items():
            kinds.check(kind, call.arguments[name])
        params = self._decode_params(call) if self._decode is None else await self._decode(call)
        signed = call.signed
        if self._is_trial is not None and self._is_trial(params):
            idempotency_key = signed = None
        answers.check_expansions(call, self._shows, params.expand)
        if self._check is not None:
            await self._check(call, params)
        command = self._command(call, params)
        digest = b"" if idempotency_key is None else self._fingerprints.make(call, params)
        names = (idempotency_key, signed)
        submission = _submission(call, command, digest, names, deadline_ns=deadline_ns)
        call.ended("decode")
        # A client that goes away stops nothing here: what was submitted is committed all the same.
        outcome = await call.services.writer.submit(submission)
        if outcome.is_signature_spent:
            raise refuse_repeated()
        if outcome.original_request_id is not None or outcome.answer.error is not None:
            # It may follow from what another instance did, and which this one has not heard of yet.
            call.services.reader.acknowledged(call.scope, outcome.answer.sequence)
        try:
            answering = answers.committed(call, outcome)
            # To expand something takes reads of its own.
            return await (in_time(answering) if outcome.answer.expand else answering)
        except FastpayError as error:
            if idempotency_key is not None or not error.retryable:
                raise
            # It is done already: whoever was invited to come again would do it twice.
            raise OutcomeUnknown(
                "This was carried out, but the answer could not be put together. Look what became of it "
                "before you send it again, and give an idempotency key with all that must not happen twice."
            ) from error

    def _decode_params(self, call: Call) -> _Params:
        content_type, body, query = call.headers.get("content-type"), call.take_body(), call.query
        params = decode_params(self._params_type, content_type=content_type, body=body, query=query)
        if may_hold_card_number(content_type, body, query):
            call.services.card_texts.check(params)
        return params


def parse_idempotency_key(header: str | None) -> str | None:
    """Return the key of an Idempotency-Key header, without the quotes where it has them.

    Raises: InvalidRequest.
    """
    if header is None:
        return None
    key = _key_of(header)
    if key is None:
        raise InvalidRequest(
            f"The Idempotency-Key has 1 to {limits.idempotency_key_chars_max} printable ASCII characters, "
            "with or without quotes around it.",
            code="idempotency_key_invalid",
        )
    return key


def is_idempotency_key(header: str) -> bool:
    """Tell whether an Idempotency-Key header holds a key that may be shown."""
    key = _key_of(header)
    return key is not None and not (digit_runs.in_text(key) and card_numbers.holds(key))


def _key_of(header: str) -> str | None:
    key = header
    if header.startswith('"'):
        quoted = _QUOTED.fullmatch(header)
        if quoted is None:
            return None
        key = _ESCAPED.sub(r"\1", quoted[1])
    if len(key) > limits.idempotency_key_chars_max or _PRINTABLE.fullmatch(key) is None:
        return None
    return key


def _deadline(call: Call) -> int | None:
    """Return when, on the monotonic clock, a client stops waiting that sent Fastpay-Timeout-Ms; None without.

    Milliseconds from now on rather than a moment: the clocks of two machines need not agree.
    Raises: InvalidRequest.
    """
    header = call.headers.get("fastpay-timeout-ms")
    if header is None:
        return None
    if _TIMEOUT.fullmatch(header) is None or not 1 <= int(header) <= limits.client_timeout_ms_max:
        raise InvalidRequest(
            f"Fastpay-Timeout-Ms is a whole number of milliseconds from 1 to {limits.client_timeout_ms_max}."
        )
    return call.services.clock.monotonic_ns() + int(header) * 1_000_000


def _submission(
    call: Call,
    command: Command,
    digest: bytes,
    names: tuple[str | None, str | None],
    *,
    deadline_ns: int | None,
) -> Submission:
    """Return the submission of a command, with its idempotency key and what was signed without one."""
    idempotency_key, signed = names
    stamp = call.services.identifiers.stamp()
    return Submission(
        scope=call.scope,
        command=command,
        request_id=call.request_id,
        moment_ms=stamp.moment_ms,
        head=stamp.head,
        tail=stamp.tail,
        trace=call.trace,
        timing=call.timing,
        deadline_ns=deadline_ns,
        idempotency_key=idempotency_key,
        is_publishable=call.is_publishable,
        signed=signed,
        fingerprint=digest,
    )
