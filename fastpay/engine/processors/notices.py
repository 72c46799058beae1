"""Webhooks of processors: what they say of attempts, taken once and in any order.

A webhook names a processor and no tenant: the one whose secret has signed it is meant. It ends an attempt by
the same command as an answer does, so that it may come before the answer, after it, or twice. What
contradicts an attempt that has ended is noted there and never dropped. What is about an attempt that is not
ours changes nothing.
"""

from collections.abc import Mapping

import msgspec

from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.identifiers import Scope, is_well_formed
from fastpay.domain.outcomes import RecordOutcome
from fastpay.domain.processor_objects import Attempt
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Submission, Writer
from fastpay.engine.processors import ports
from fastpay.engine.processors.results import command_of, result_of
from fastpay.engine.processors.saving import keep
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.processors")


class ProcessorNotices:
    """Records what webhooks of processors say. `links` say where a decline is explained."""

    def __init__(
        self,
        processors: ports.Processors,
        writer: Writer,
        *,
        identifiers: IdentifierFactory,
        reader: ports.AttemptReader | None = None,
        links: ErrorLinks = NO_LINKS,
    ) -> None:
        self._processors = processors
        self._writer = writer
        self._reader = reader
        self._identifiers = identifiers
        self._links = links
        self._received = self._refused = 0

    def counts(self) -> dict[str, int]:
        """Return how many webhooks were verified, and how many were refused."""
        return {"notice_received": self._received, "notice_refused": self._refused}

    async def receive(self, name: str, headers: Mapping[str, str], body: bytes, *, request_id: str) -> bool:
        """Record what a webhook says, and tell whether it was signed by a processor of this name.

        Names of headers are in lower case. Raises: DatabaseUnavailable, Overloaded and the like; the
        processor has to send it again then.
        """
        for scope, processor in await self._processors.named(name):
            notice = processor.receive(headers, body)
            if notice is not None:
                self._received += 1
                if isinstance(notice, ports.Notice):
                    await self.record(scope, notice, request_id)
                return True
        self._refused += 1
        return False

    async def record(self, scope: Scope, notice: ports.Notice, request_id: str = "") -> None:
        """Record what a notice says. Raises: as `receive`."""
        reference = notice.reference
        if reference is None or not is_well_formed(reference, Attempt.prefix):
            return
        command = command_of(reference, notice.outcome, links=self._links)
        if command is None:
            return
        said = {operation: result_of(outcome) for operation, outcome in notice.follow_ups.items()}
        follow_ups = {operation: one for operation, one in said.items() if one is not None}
        if isinstance(command, RecordOutcome):
            command = msgspec.structs.replace(command, follow_ups=follow_ups)
        self._writer.admit(scope)
        if notice.outcome.token is not None and self._reader is not None:
            found = await self._reader.get(scope, reference)
            if found is not None and isinstance(found.object, Attempt):
                attempt = found.object
                await keep(self._processors, scope, attempt.payment_method, attempt.processor, notice.outcome)
        stamp = self._identifiers.stamp()
        outcome = await self._writer.submit(
            Submission(
                scope=scope,
                command=command,
                request_id=request_id,
                moment_ms=stamp.moment_ms,
                head=stamp.head,
                tail=stamp.tail,
            )
        )
        if outcome.answer.error is not None and outcome.answer.error.status == 404:
            _log.warning("foreign_notice_ignored", notice=notice.id, attempt=reference)
