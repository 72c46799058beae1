"""fastpay/engine/relay/recorder.py: outcomes are stored together, and less often while payments wait."""

from typing import cast

import pytest

from fastpay import limits
from fastpay.engine.relay.lease_ports import LeaseStore
from fastpay.engine.relay.ports import Attempt, DeliveryOutcome
from fastpay.engine.relay.recorder import Recorder
from tests.unit.engine.hand_clock import HandClock
from tests.unit.engine.relay.channels import Store, World, settle


def attempt(number: int) -> Attempt:
    return Attempt(
        digits=f"{number:032x}",
        created_ms=number,
        event_id=f"evt_{number:032x}",
        event_type="customer.created",
        sequence=number,
        number=1,
        outcome=DeliveryOutcome(status=200),
    )


@pytest.mark.parametrize("is_busy", [False, True])
async def test_at_a_peak_a_record_waits_for_more_to_be_stored_with_it(
    monkeypatch: pytest.MonkeyPatch, *, is_busy: bool
) -> None:
    monkeypatch.setattr(limits, "relay_gather_ms", 0)
    monkeypatch.setattr(limits, "relay_gather_busy_ms", 60_000)
    channel, store = World().channel, cast("LeaseStore", Store())
    recorder = Recorder(store, "3" * 32, clock=HandClock(), fenced=lambda lost: None, is_busy=lambda: is_busy)
    recorder.start()
    recorder.add(channel, attempt(1))
    await settle()
    assert recorder.flushes == (0 if is_busy else 1)
    await recorder.close()
    assert recorder.flushes == 1
