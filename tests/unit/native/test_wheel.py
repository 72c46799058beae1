import asyncio
import gc
import weakref
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpay._native.wheel import Callback, Wheel
from tests.reference import wheel as oracle

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 7), st.integers(1, 900)),
        st.tuples(st.just("clear"), st.integers(0, 7), st.just(0)),
        st.tuples(st.just("advance"), st.just(0), st.integers(0, 700)),
    ),
    max_size=60,
)


def make_wheel() -> Wheel:
    """Return a wheel that only the test turns."""
    return Wheel(cast(asyncio.AbstractEventLoop, None), 1.0, lambda: None)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_the_wheel_and_its_oracle_expire_the_same_nodes(steps: list[tuple[str, int, int]]) -> None:
    wheel, plain = make_wheel(), oracle.Wheel()
    wheel_expired: list[int] = []
    nodes = [Callback(lambda index=index: wheel_expired.append(index)) for index in range(8)]  # type: ignore[misc]
    for node in nodes:
        wheel.join(node)
    for action, index, ticks in steps:
        if action == "set":
            # One tick more: a wheel that has just turned must not be early.
            wheel.set_deadline(nodes[index], ticks)
            plain.set_deadline(index, ticks + 1)
        elif action == "clear":
            wheel.clear_deadline(nodes[index])
            plain.clear_deadline(index)
        else:
            wheel_expired.clear()
            wheel.advance(wheel.now + ticks)
            assert set(wheel_expired) == plain.advance(plain.now + ticks)
            assert len(wheel_expired) == len(set(wheel_expired))


def test_a_node_that_left_expires_no_more_and_is_not_listed() -> None:
    wheel = make_wheel()
    seen: list[str] = []
    stays, leaves = Callback(lambda: seen.append("stays")), Callback(lambda: seen.append("leaves"))
    for node in (stays, leaves):
        wheel.join(node)
        wheel.set_deadline(node, 3)
    wheel.leave(leaves)
    assert wheel.nodes() == [stays]
    assert wheel.count == 1
    wheel.advance(10)
    assert seen == ["stays"]


def test_a_node_may_drop_another_that_is_due_too() -> None:
    wheel = make_wheel()
    seen: list[str] = []
    second = Callback(lambda: seen.append("second"))

    def first_expires() -> None:
        seen.append("first")
        wheel.leave(second)

    first = Callback(first_expires)
    for node in (first, second):
        wheel.join(node)
        wheel.set_deadline(node, 1)
    wheel.advance(5)
    assert seen == ["first"]


def test_the_wheel_keeps_no_node_alive() -> None:
    wheel = make_wheel()

    class Owner:
        def expire(self) -> None:
            """Be called."""

    owner = Owner()
    node = Callback(owner.expire)
    wheel.join(node)
    trace = weakref.ref(owner)
    del owner, node
    gc.collect()
    assert trace() is None
    assert wheel.nodes() == []
    wheel.advance(600)


def test_a_failing_node_does_not_stop_the_others() -> None:
    wheel = make_wheel()
    seen: list[int] = []

    def fail() -> None:
        raise ValueError("broken")

    nodes = [Callback(fail), Callback(lambda: seen.append(1))]
    for node in nodes:
        wheel.join(node)
        wheel.set_deadline(node, 1)
    wheel.advance(5)
    assert seen == [1]
