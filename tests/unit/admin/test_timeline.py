"""One payment as one timeline."""

from fastpay.admin.console.ports import Change, Delivery, History, Occurrence, Posting
from fastpay.admin.console.timeline import build


def change(sequence: int, version: int, **shown: object) -> Change:
    return Change("pi_1", "payment_intent", version, sequence, {"id": "pi_1", **shown})


def occurrence(sequence: int, moment_ms: int, request_id: str = "req") -> Occurrence:
    return Occurrence(sequence, f"evt_{sequence}", "charge.captured", "pi_1", request_id, moment_ms)


def posting(name: str, moment_ms: int) -> Posting:
    return Posting(name, "capture", "posted", "processor", "pending", "usd", 5, moment_ms)


def test_each_command_is_an_entry_with_what_it_changed_told_and_moved() -> None:
    history = History(
        "shop",
        False,
        [change(3, 1, status="requires_capture", amount=5), change(7, 2, status="succeeded", amount=5)],
        [occurrence(2, 100), occurrence(3, 100), occurrence(6, 200, "")],
        [posting("tr_2", 200), posting("tr_1", 100), posting("tr_9", 900)],
        [Delivery("evt_3", "we_1", 1, "200", 4)],
    )
    first, last = build(history)
    assert (first.sequence, first.moment_ms, first.request_id) == (3, 100, "req")
    assert [one.name for one in first.updates[0].differences] == ["status", "amount"]
    assert [one.transfer_id for one in first.postings] == ["tr_1"]
    assert [one.endpoint_id for one in first.deliveries] == ["we_1"]
    # Time or a processor has brought it about. What was posted later than all events is not left out.
    assert (last.request_id, last.moment_ms) == ("", 200)
    (difference,) = last.updates[0].differences
    assert (difference.name, difference.before, difference.after) == (
        "status",
        "requires_capture",
        "succeeded",
    )
    assert [one.transfer_id for one in last.postings] == ["tr_2", "tr_9"]
    assert last.deliveries == []


def test_a_payment_without_events_is_shown_all_the_same() -> None:
    (entry,) = build(History("shop", True, [change(1, 1, status="canceled")], [], [posting("tr_1", 5)], []))
    assert (entry.moment_ms, len(entry.updates), len(entry.postings)) == (0, 1, 1)
