"""What a channel does at commits, at answers, and when nothing may be sent."""

import pytest

from fastpay import limits
from tests.unit.engine.relay.channels import World

pytestmark = pytest.mark.anyio


async def open_circuit(world: World) -> None:
    """Have attempts fail until nothing is sent any more."""
    world.receiver.status = 500
    await world.commit(limits.relay_circuit_failures)
    await world.receiver.answer()
    assert world.channel.circuit.state(world.clock.now_ms()) == "open"


async def test_a_commit_beside_a_dead_endpoint_reads_nothing_and_looks_at_a_flag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    await open_circuit(world)
    reads, begun = len(world.log.reads), len(world.receiver.begun)
    with monkeypatch.context() as patch:
        patch.setattr(world.channel, "pump", None)
        for _ in range(1_000):
            await world.commit(3)
    # Nor does anything else that comes to it meanwhile.
    world.channel.pump()
    await world.commit(3)
    assert (len(world.log.reads), len(world.receiver.begun)) == (reads, begun)


async def test_a_dead_endpoint_is_probed_when_its_time_has_come_and_then_gets_everything() -> None:
    world = World()
    await open_circuit(world)
    await world.commit(10)
    world.clock.advance_ms(2 * limits.relay_probe_ms)
    begun = len(world.receiver.begun)
    world.channel.pump()
    await world.commit()
    assert len(world.receiver.begun) == begun + 1
    world.receiver.status = 200
    while world.channel.progress.delivered_through < world.log.end:
        await world.receiver.answer()
    assert set(world.receiver.begun) == set(range(1, world.log.end + 1))


async def test_an_endpoint_that_asked_for_a_pause_is_woken_by_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.channel.circuit.pause(world.clock.now_ms() + 60_000)
    await world.commit(3)
    woken: list[float] = []
    monkeypatch.setattr(world.channel, "_wake_in", woken.append)
    world.channel.pump()
    assert woken == [60_000]
    assert world.receiver.begun == []
