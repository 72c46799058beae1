"""Snapshots: what is written of an object is the object when it is read."""

import msgspec
import pytest

from benchmarks import samples
from fastpay.domain.kinds import number_of
from fastpay.domain.objects import StoredObject
from fastpay.store import rows

WRITTEN = [
    versioned.object for versioned in samples.decide(samples.new_workspace(), samples.new_command()).versions
]
# The last field that was appended to each kind, with a value.
LAST = {
    "PaymentIntent": {"challenge_url": "https://x"},
    "PaymentMethod": {"type": "x"},
    "Charge": {"dispute": "du_1"},
}
CHANGED = [msgspec.structs.replace(stored, **LAST[type(stored).__name__]) for stored in WRITTEN]


@pytest.mark.parametrize("stored", [*WRITTEN, *CHANGED], ids=lambda stored: stored.id[:2])
def test_a_snapshot_is_the_object(stored: StoredObject) -> None:
    assert rows.stored(number_of(stored), rows.encode(stored)) == stored


def test_snapshots_of_a_payment_end_before_fields_that_decoding_adds() -> None:
    shorter = [
        type(stored).__name__
        for stored in WRITTEN
        if len(rows.encode(stored)) < len(msgspec.msgpack.encode(stored))
    ]
    assert sorted(shorter) == ["Charge", "PaymentMethod"]


@pytest.mark.parametrize("stored", WRITTEN, ids=lambda stored: stored.id[:2])
def test_a_snapshot_from_before_a_field_was_added_has_its_default(stored: StoredObject) -> None:
    older = msgspec.msgpack.encode(msgspec.structs.astuple(stored)[:-1])
    assert rows.stored(number_of(stored), older) == stored
