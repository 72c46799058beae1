"""Events: the dialect's shape, around an object that was rendered before."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fastpay.api.app import RESOURCES
from fastpay.api.resources.events.shape import SHAPE, render_event
from fastpay.domain.events import RecordedEvent
from fastpay.domain.objects import Charge, Customer, PaymentIntent, PaymentMethod, Refund, StoredObject
from tests.reference.rendering import interpret
from tests.support.dialect import example, missing_keys
from tests.support.samples import captured_charge
from tests.unit.native.stored import structs

OBJECTS = (Charge, Customer, PaymentIntent, PaymentMethod, Refund)


@given(structs(RecordedEvent), st.one_of(*map(structs, OBJECTS)), st.booleans())
def test_an_event_has_the_bytes_of_the_oracle(
    event: RecordedEvent, stored: StoredObject, livemode: bool
) -> None:
    shown = RESOURCES.render_bytes(stored, livemode)
    plain = interpret(SHAPE, event, livemode, b'{"object":' + shown + b"}")
    assert render_event(event, shown, livemode) == msgspec.json.encode(plain)


def test_an_event_has_the_shape_of_the_dialect_and_its_place_in_the_sequence() -> None:
    charge = captured_charge()
    event = RecordedEvent(
        id="evt_1", type="charge.succeeded", created=1, sequence=7, object_id=charge.id, version=2
    )
    shown = msgspec.json.decode(render_event(event, RESOURCES.render_bytes(charge, False), False))
    # The example is about an object of another kind.
    assert [key for key in missing_keys(shown, example("event")) if not key.startswith("data.object.")] == []
    assert (shown["sequence"], shown["version"]) == (7, 2)
    assert shown["data"]["object"] == msgspec.json.decode(RESOURCES.render_bytes(charge, False))
    assert shown["request"] == {"id": None, "idempotency_key": None}
