"""Which identifiers of an answer look like this server's, and how often that is told."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.identifiers import identifier_at
from fastpay.engine.rollout.mistaken import MistakenIdentifiers, like_ours

OURS = identifier_at("cus", 1_700_000_000_000, 7, 0)
CHARGE = identifier_at("ch", 1_700_000_000_000, 7, 1)
OTHER_VERSION = OURS[:16] + "4" + OURS[17:]


def shown(identifier: str, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "object": "customer", **more}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (shown(OURS), [OURS]),
        (
            {"object": "list", "data": [shown(OURS), shown("cus_NffrFeUfNV2Hib"), shown(CHARGE)]},
            [OURS, CHARGE],
        ),
        (shown("pi_1", latest_charge=shown(CHARGE)), [CHARGE]),
        (shown(OTHER_VERSION), []),
        # Of accounts, and of what is no object here, it cannot be asked whether they are here.
        (shown(OURS.replace("cus", "acct")), []),
        (shown(OURS.replace("cus", "evt")), []),
        # What a client wrote, and references.
        (shown("cus_1", metadata=shown(OURS)), []),
        (shown("ch_1", customer=OURS), []),
        ({"id": OURS}, []),
        ([1, None, "x"], []),
    ],
)
def test_objects_are_found_by_what_they_are_called(body: object, found: list[str]) -> None:
    assert like_ours(json.dumps(body).encode()) == found


def test_what_is_no_answer_has_no_objects_and_a_page_has_some() -> None:
    assert like_ours(b"<html>") == like_ours(b"[" * 100_000) == []
    page = [shown(identifier_at("cus", 1, 1, number)) for number in range(100)]
    assert len(like_ours(json.dumps(page).encode())) == limits.mistaken_identifiers_max


class Store:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.added: list[tuple[Sequence[str], str]] = []

    async def add_mistaken(self, identifiers: Sequence[str], route: str) -> None:
        """Keep it."""
        self.added.append((identifiers, route))


async def test_a_route_is_looked_at_once_a_second_and_the_log_tells_of_a_prefix_once_an_hour(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now_ns = 0
    store = Store()
    mistaken = MistakenIdentifiers(store, lambda: now_ns)
    assert [mistaken.is_due(route) for route in ("a", "a", "b")] == [True, False, True]
    now_ns = limits.mistaken_interval_ms * 1_000_000
    assert mistaken.is_due("a")
    for _ in range(2):
        await mistaken.found("a", [OURS, CHARGE])
    assert store.added == [([OURS, CHARGE], "a")] * 2
    assert [one.message for one in caplog.records] == ["legacy_identifier_confused"] * 2
    now_ns += limits.mistaken_told_ms * 1_000_000
    await mistaken.found("a", [CHARGE])
    assert len(caplog.records) == 3
    assert mistaken.counts() == {"rollout_mistaken": 3}
