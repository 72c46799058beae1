"""When and how much an endpoint is sent: schedule, circuit, window and the slots that all share."""

import pytest

from fastpay import limits
from fastpay.engine.relay.circuit import Circuit
from fastpay.engine.relay.schedule import DELAYS_MS, next_attempt_ms, probe_delay_ms
from fastpay.engine.relay.slots import Slots
from fastpay.engine.relay.window import Rate, Spare, Window

HOUR_MS = 3_600_000


def test_retries_come_after_the_promised_times_and_up_to_a_tenth_later() -> None:
    promised = [5_000, 300_000, 1_800_000, *(hours * HOUR_MS for hours in (2, 5, 10, 14, 20, 24))]
    assert list(DELAYS_MS) == promised
    for attempts, delay_ms in enumerate(promised, 1):
        assert next_attempt_ms(attempts, 7, chance=0) == 7 + delay_ms
        assert 7 + delay_ms < next_attempt_ms(attempts, 7, chance=255) < 7 + delay_ms * 1.1
    assert next_attempt_ms(50, 0, chance=0) == 24 * HOUR_MS


def test_a_receiver_may_ask_for_more_time_and_not_for_less() -> None:
    assert next_attempt_ms(1, 0, chance=0, retry_after_s=60) == 60_000
    assert next_attempt_ms(2, 0, chance=0, retry_after_s=60) == 300_000


def fail(circuit: Circuit, times: int, now_ms: int = 0) -> None:
    for _ in range(times):
        circuit.began()
        circuit.failed(now_ms, chance=0)


def test_a_circuit_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    circuit = Circuit()
    fail(circuit, limits.relay_circuit_failures - 1)
    assert circuit.may_send(0)
    fail(circuit, 1)
    assert (circuit.state(0), circuit.may_send(limits.relay_probe_ms - 1)) == ("open", False)
    assert (circuit.state(limits.relay_probe_ms), circuit.may_send(limits.relay_probe_ms)) == (
        "half_open",
        True,
    )
    circuit.began()
    assert not circuit.may_send(limits.relay_probe_ms)
    circuit.failed(limits.relay_probe_ms, chance=0)
    # Twice as long as before.
    assert not circuit.may_send(limits.relay_probe_ms * 3 - 1)
    assert circuit.may_send(limits.relay_probe_ms * 3)
    circuit.began()
    circuit.succeeded()
    assert circuit.state(0) == "closed"
    assert circuit.failing_since_ms is None


def test_what_was_in_flight_when_a_circuit_opened_does_not_keep_it_open_for_longer() -> None:
    circuit = Circuit()
    for _ in range(30):
        circuit.began()
    for _ in range(30):
        circuit.failed(0, chance=0)
    assert circuit.resume_ms == limits.relay_probe_ms


def test_the_pause_between_probes_has_a_bound() -> None:
    assert probe_delay_ms(100, chance=0) == limits.relay_probe_max_ms


def test_an_endpoint_is_hopeless_after_three_days_without_success() -> None:
    circuit = Circuit()
    fail(circuit, 1, now_ms=1_000)
    assert not circuit.is_hopeless(1_000 + limits.relay_disable_ms - 1)
    assert circuit.is_hopeless(1_000 + limits.relay_disable_ms)
    assert limits.relay_disable_ms == 3 * 24 * HOUR_MS


def test_what_a_receiver_asked_for_stands_though_others_succeed() -> None:
    circuit = Circuit()
    circuit.refused(0)
    circuit.pause(9_000)
    circuit.succeeded()
    assert not circuit.may_send(8_999)
    assert circuit.may_send(9_000)


def test_a_window_grows_by_one_a_round_and_is_halved_once_a_round() -> None:
    window = Window()
    before = window.size
    for _ in range(2 * before):
        window.succeeded()
    assert before < window.size <= before + 2
    full = window.size
    for _ in range(full):
        window.congested(sent_ns=5, now_ns=10)
    assert window.size == full // 2
    window.congested(sent_ns=10, now_ns=20)
    assert window.size == full // 4
    for _ in range(1_000_000):
        window.succeeded()
    assert window.size == limits.relay_window_max
    for number in range(100):
        window.congested(sent_ns=100 + number, now_ns=100 + number)
    assert window.size == window.retries == 1


def test_a_pace_spreads_requests_and_makes_up_for_a_short_pause_only() -> None:
    pace = Rate(10)
    sent, now_ns = 0, 0
    for _ in range(1_000):
        now_ns += 10_000_000
        if not pace.wait_ns(now_ns):
            pace.began(now_ns)
            sent += 1
    assert 99 <= sent <= 102
    now_ns += 60_000_000_000
    burst = 0
    while not pace.wait_ns(now_ns):
        pace.began(now_ns)
        burst += 1
    assert burst <= 2
    assert Rate(None).wait_ns(0) == 0


@pytest.mark.parametrize("hanging", [1, 10, 500])
def test_endpoints_that_hang_leave_a_slot_for_one_that_does_not(hanging: int) -> None:
    slots = Slots(1_024)
    held = [0] * hanging
    for _ in range(1_024):
        for number in range(hanging):
            if held[number] < min(slots.share(), limits.relay_window_max):
                slots.take()
                held[number] += 1
    assert slots.share() >= 1
    assert slots.in_use < 1_024


def test_who_waits_for_a_slot_is_woken_once_when_one_is_given_back() -> None:
    slots, woken = Slots(1), []
    slots.take()
    assert slots.share() == 0
    first, second = (lambda: woken.append("first")), (lambda: woken.append("second"))
    slots.wait(first)
    slots.wait(first)
    slots.wait(second)
    slots.give()
    assert woken == ["first"]
    slots.forget(second)
    slots.take()
    slots.give()
    assert woken == ["first"]


def replays(spare: Spare, *, live_per_second: int, seconds: int = 10, is_short: bool = False) -> int:
    """Return how many deliveries of replays begin in a time, beside so many live ones a second."""
    count, live = 0, 0
    for tenth_ms in range(10_000 * seconds):
        now_ns = 100_000 * tenth_ms
        while live * 10_000 < live_per_second * tenth_ms:
            spare.began(now_ns, is_replay=False)
            live += 1
        if not spare.wait_ns(now_ns, is_short=is_short):
            spare.began(now_ns, is_replay=True)
            count += 1
    return count


def test_replays_get_what_live_deliveries_leave_and_a_minimum() -> None:
    most, least = limits.relay_replays_per_second, limits.relay_replays_per_second_min
    assert replays(Spare(), live_per_second=0) == pytest.approx(10 * most, rel=0.02)
    assert replays(Spare(), live_per_second=most // 2) == pytest.approx(5 * most, rel=0.03)
    assert replays(Spare(), live_per_second=10 * most) == pytest.approx(10 * least, rel=0.03)
    assert replays(Spare(), live_per_second=0, is_short=True) == pytest.approx(10 * least, rel=0.03)


def test_replays_are_fast_again_soon_after_a_burst_of_live_deliveries() -> None:
    spare = Spare()
    for _ in range(100_000):
        spare.began(0, is_replay=False)
    after_ns = limits.relay_burst_ms * 2_000_000
    assert spare.wait_ns(after_ns, is_short=False) == 0
