"""One payment as one timeline."""

from fastpay.admin.console.ports import Action, Change, Delivery, History, Occurrence, Posting
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


def test_what_operators_did_is_where_it_was_committed_or_was_refused() -> None:
    history = History(
        "shop", False, [change(3, 1, amount=5), change(7, 2, amount=6)],
        [occurrence(3, 100), occurrence(7, 300, "req_2")], [], [],
    )  # fmt: skip
    done = Action(1, 300, "ada", "payment.captured", "pi_1", None, "req_2")
    refused = Action(2, 200, "ada", "payment.refund_refused", "pi_1", "Too much.", None)
    # What was committed in a request that changed nothing here, such as one that lists no event.
    elsewhere = Action(3, 400, "ada", "payment.cancel", "pi_1", None, "req_3")
    entries = build(history, [done, refused, elsewhere])
    assert [(entry.moment_ms, entry.action) for entry in entries] == [
        (100, None), (200, refused), (300, done), (400, elsewhere),
    ]  # fmt: skip
    assert [entry.request_id for entry in entries] == ["req", "", "req_2", "req_3"]


def test_a_payment_without_events_is_shown_all_the_same() -> None:
    (entry,) = build(History("shop", True, [change(1, 1, status="canceled")], [], [posting("tr_1", 5)], []))
    assert (entry.moment_ms, len(entry.updates), len(entry.postings)) == (0, 1, 1)
