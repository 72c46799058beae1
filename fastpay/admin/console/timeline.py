"""One payment as one timeline: what was asked, what changed, what was posted, in the order of time."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import structs

from fastpay.admin.console.ports import Action, Change, Delivery, History, Occurrence, Posting, Request

# Fields that follow from others, or that say what the heading of an entry says.
_QUIET = frozenset({"client_secret", "created", "id", "livemode", "object"})


class Difference(msgspec.Struct, frozen=True):
    """A field that a change has set. `before` is empty if the object is new.

    An amount is a number in the smallest unit of `currency`, which is empty for all else.
    """

    name: str
    before: str
    after: str
    currency: str = ""


class Update(msgspec.Struct, frozen=True):
    """An object that a command has changed, and the fields that it set."""

    change: Change
    differences: Sequence[Difference]


class Entry(msgspec.Struct, frozen=True):
    """What one command did, at one moment. `request_id` is empty if time or a processor brought it about.

    `request` is what the request log has of it. A request that was refused, or a replay, did nothing else.
    `action` is what an operator did, or was refused.
    """

    moment_ms: int
    sequence: int
    request_id: str
    updates: Sequence[Update]
    occurrences: Sequence[Occurrence]
    postings: Sequence[Posting]
    deliveries: Sequence[Delivery]
    request: Request | None = None
    action: Action | None = None


def build(history: History, actions: Sequence[Action] = ()) -> list[Entry]:
    """Return the entries of a payment, oldest first.

    What operators did is shown where it was committed, and by itself if nothing else came of it.
    """
    entries = _commits(history)
    done = {action.request_id: action for action in actions if action.request_id}
    entries = [structs.replace(entry, action=done.pop(entry.request_id, None)) for entry in entries]
    alone = [action for action in actions if not action.request_id or action.request_id in done]
    entries += [
        Entry(action.moment_ms, 0, action.request_id or "", (), (), (), (), action=action) for action in alone
    ]
    return sorted(entries, key=lambda entry: entry.moment_ms) if alone else entries


def _commits(history: History) -> list[Entry]:
    """Return what was committed, with the requests. Commits do not overlap."""
    ends = sorted({change.sequence for change in history.changes})
    occurrences: dict[int, list[Occurrence]] = {end: [] for end in ends}
    for occurrence in history.occurrences:
        end = next((end for end in ends if end >= occurrence.sequence), None)
        if end is not None:
            occurrences[end].append(occurrence)
    latest: dict[str, Change] = {}
    entries = []
    requests = {request.request_id: request for request in history.requests}
    left = sorted(history.postings, key=lambda posting: (posting.moment_ms, posting.transfer_id))
    for end in ends:
        updates = []
        for change in history.changes:
            if change.sequence == end:
                before = latest.get(change.identifier)
                updates.append(Update(change, _differences(before, change)))
                latest[change.identifier] = change
        told = occurrences[end]
        moment_ms = told[0].moment_ms if told else 0
        own = [posting for posting in left if posting.moment_ms <= moment_ms or end == ends[-1]]
        left = left[len(own) :]
        request_id = told[0].request_id if told else ""
        names = {occurrence.event_id for occurrence in told}
        delivered = [delivery for delivery in history.deliveries if delivery.event_id in names]
        request = requests.pop(request_id, None)
        entries.append(Entry(moment_ms, end, request_id, updates, told, own, delivered, request))
    for name, request in requests.items():
        entries.append(Entry(request.moment_ms, 0, name, (), (), (), (), request))
    return sorted(entries, key=lambda entry: entry.moment_ms) if requests else entries


def _differences(before: Change | None, after: Change) -> list[Difference]:
    earlier: Mapping[str, object] = {} if before is None else before.shown
    found = []
    for name, value in after.shown.items():
        if name in _QUIET or value == earlier.get(name):
            continue
        was = "" if before is None else _text(earlier.get(name))
        currency = str(after.shown.get("currency") or "") if _is_amount(name, value) else ""
        found.append(Difference(name, was, _text(value), currency))
    return found


def _is_amount(name: str, value: object) -> bool:
    return name.startswith("amount") and type(value) is int


def _text(value: object) -> str:
    """Return a value as a line of JSON, texts without quotes."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
