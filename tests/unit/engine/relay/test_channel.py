"""What a channel does at commits, at answers, and when nothing may be sent."""

import random
from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.webhook_endpoints import WebhookReplay
from fastpay.engine.relay.ports import Delivery, DeliveryOutcome
from fastpay.engine.relay.progress import Entry
from tests.support.seeds import SEED
from tests.unit.engine.relay.channels import World, settle


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


async def test_exceptions_that_changed_too_often_are_written_anew_until_that_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "relay_generation_changes_max", 6)
    world = World()
    world.receiver.status = 500
    await world.commit(4)
    await world.receiver.answer()
    channel, first = world.channel, world.channel.record()
    assert (first.generation, first.changes, len(first.kept)) == (0, 4, 4)
    channel.progress.changed = {}
    channel.recorded(first)
    channel.progress.hasten()
    for _ in range(4):
        entry = channel.progress.take(0, first_max=0, retries_max=1)
        assert entry is not None
        channel.progress.acknowledge(entry)
        # What is not known to be stored is stored the same way, though more has changed since.
        record = channel.record()
        gone = len(record.removed)
        is_new = 4 + gone > 6
        assert (record.generation, len(record.kept)) == (int(is_new), 4 - gone if is_new else 0)
    assert gone == 4
    channel.progress.changed = {}
    channel.recorded(record)
    again = channel.record()
    assert (again.generation, again.changes, again.kept, again.removed) == (1, 0, [], [])


async def test_what_an_endpoint_does_not_want_is_passed_without_a_read() -> None:
    """Where it knows all types since its last read. Of another instance's commits it knows none."""
    world = World(start=5)
    channel, log = world.channel, world.log
    channel.types = frozenset({"payout.paid"})
    await world.commit()
    reads = len(log.reads)
    for _ in range(1_000):
        await world.commit(3, types={"customer.created", "charge.succeeded"})
    assert (len(log.reads), channel.progress.position) == (reads, log.end)
    await world.commit(2, types={"payout.paid", "charge.succeeded"})
    assert len(log.reads) == reads + 1
    await world.commit(2)
    assert len(log.reads) == reads + 2
    # A commit before this one has not been heard of.
    log.end += 3
    await world.commit(2, types={"charge.succeeded"})
    assert len(log.reads) == reads + 3
    channel.heard(None)
    await world.commit(2, types={"charge.succeeded"})
    assert len(log.reads) == reads + 4
    assert channel.progress.position == log.end


async def test_what_is_committed_during_a_read_is_passed_if_it_is_not_wanted() -> None:
    world = World(start=5)
    channel, log = world.channel, world.log
    channel.types = frozenset({"customer.created"})
    log.is_slow = True
    await world.commit(types={"customer.created"})
    await world.commit(4, types={"charge.succeeded"})
    assert len(log.reads) == 1
    log.go_on()
    await settle()
    await world.receiver.answer()
    assert (len(log.reads), channel.progress.position) == (1, log.end)


OLD = 200


def noting(world: World, monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, bool]]:
    """Return what begins from now on, a list that grows: is it a replay, and do live events wait?"""
    begun: list[tuple[bool, bool]] = []
    begin = world.channel.begin

    def note(entry: Entry, *given: Any) -> None:
        begun.append((entry.sequence <= OLD, world.channel.has_live_waiting))
        begin(entry, *given)

    monkeypatch.setattr(world.channel, "begin", note)
    return begun


async def test_while_live_events_wait_few_of_a_replay_begin_between_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is answered first, and however many live events come: a replay gets its share and no more."""
    chance = random.Random(SEED)
    replay = WebhookReplay(
        id="wrp_" + "4" * 32, created=1, webhook_endpoint="we", from_sequence=1, to_sequence=OLD
    )
    world = World(replays=[replay], start=OLD)
    begun = noting(world, monkeypatch)
    world.channel.replaying.heard()
    await world.commit(chance.randrange(40))
    while world.channel.replaying.replayed != "4" * 32 or world.receiver.in_flight:
        world.clock.advance_ms(chance.randrange(20))
        if chance.random() < 0.1 and len(begun) < 2_000:
            await world.commit(chance.randrange(60))
        if world.receiver.in_flight:
            await world.receiver.answer(chance.randrange(world.receiver.in_flight))
        else:
            world.channel.pump()
    live = limits.relay_live_per_replayed
    assert {is_replay for is_replay, _ in begun} == {True, False}
    for is_replay, are_waiting in begun:
        assert not (is_replay and are_waiting and live < limits.relay_live_per_replayed)
        live = 0 if is_replay else live + 1
    assert set(world.receiver.begun) == set(range(1, world.log.end + 1))


async def test_what_an_endpoint_is_behind_by_waits_in_the_log() -> None:
    """It comes back after 200,000 events, and then refuses one of three. Memory has its bounds."""
    world = World()
    answer, progress = world.receiver.deliver, world.channel.progress

    async def deliver(delivery: Delivery) -> DeliveryOutcome:
        outcome = await answer(delivery)
        return outcome if delivery.sequence % 3 else DeliveryOutcome(status=500)

    world.receiver.deliver = deliver  # type: ignore[method-assign]
    lines: list[int] = []
    await world.commit(200_000)
    while world.receiver.in_flight and len(lines) < 1_000:
        await world.receiver.answer()
        lines.append(progress.line_length)
    # It stops at the bounds, with the rest in the log.
    assert world.receiver.in_flight == 0
    assert max(lines) <= limits.relay_line_max + limits.relay_page_events
    assert len(progress.parked) == limits.relay_exceptions_max
    assert progress.read_through < 3 * limits.relay_exceptions_max + 3 * limits.relay_line_max
    # What was sent is read again for its next attempt: only what waits has its bytes here.
    held = [entry for entry in (*progress._line, *progress.parked.values()) if entry.logged is not None]
    assert len(held) <= limits.relay_page_events + limits.relay_window_max
