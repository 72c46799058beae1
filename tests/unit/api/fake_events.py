"""Events in memory: what happened in a fake engine."""

from collections.abc import Sequence

from fastpay.domain.events import TYPES, WITH_PREVIOUS, RecordedEvent
from fastpay.domain.identifiers import Scope, digits, placed
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Draft, Versioned
from fastpay.engine.event_ports import EventPage, EventRead, Occurrence, StoredEvent
from fastpay.engine.ports import Submission

History = dict[tuple[Scope, str], list[Versioned]]


class FakeEvents:
    """Satisfies `Events`. `history` has the versions of all objects, and gets the events."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._recorded: dict[Scope, list[Occurrence]] = {}
        self._sequences: dict[Scope, int] = {}

    def record(self, submission: Submission, draft: Draft) -> None:
        """Keep what a command made happen."""
        scope = submission.scope
        self._sequences[scope] = draft.answer.sequence
        for event in draft.events:
            # Clients see no events of a transfer between accounts, and it has no versions.
            if event.type not in TYPES:
                continue
            versions = self._history[scope, event.object_id]
            recorded = RecordedEvent(
                id=placed("evt", bytes.fromhex(digits(event.id)), event.sequence),
                type=event.type,
                created=submission.moment_ms // 1000,
                sequence=event.sequence,
                object_id=event.object_id,
                version=event.version,
                request_id=submission.request_id or None,
            )
            previous = versions[-2].object if event.type in WITH_PREVIOUS else None
            occurrence = Occurrence(recorded, versions[-1].object, previous, draft.answer.sequence)
            self._recorded.setdefault(scope, []).append(occurrence)
            stored = StoredEvent(id=recorded.id, created=recorded.created, occurrence=occurrence)
            self._history[scope, recorded.id] = [Versioned(stored, recorded.version, recorded.sequence)]

    async def list(self, scope: Scope, page: EventPage) -> EventRead:
        found = [
            one
            for one in self._recorded.get(scope, [])
            if page.above < one.event.sequence < page.below and page.has(one.event)
        ]
        found = found[: page.limit + 1] if page.ascending else found[-page.limit - 1 :]
        return EventRead(found[::-1], self._sequences.get(scope, 0))

    async def find(
        self, scope: Scope, numbers: Sequence[int], *, counts_pending: bool = False
    ) -> Sequence[Occurrence]:
        return [one for one in self._recorded.get(scope, [])[::-1] if one.event.sequence in numbers]

    async def read_sequences(self, scopes: Sequence[Scope]) -> dict[Scope, int]:
        return {scope: self._sequences.get(scope, 0) for scope in scopes}

    async def load_at(
        self, scope: Scope, wanted: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], StoredObject]:
        return {
            (identifier, sequence): versioned.object
            for identifier, sequence in wanted
            for versioned in self._history.get((scope, identifier), ())
            if versioned.sequence <= sequence
        }
