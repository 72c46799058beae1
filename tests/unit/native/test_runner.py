"""The compiled runner against asyncio's own Tasks: whatever a coroutine can see must be alike."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from fastpay._native.runner import Runner
from tests.reference import runner as oracle
from tests.support.http_server import run

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
Case = Callable[[list[Any]], Coroutine[Any, Any, Any]]


async def _returns(seen: list[Any]) -> None:
    seen.append("here")


async def _raises(seen: list[Any]) -> None:
    raise LookupError("broken")


async def _raises_later(seen: list[Any]) -> None:
    await asyncio.sleep(0)
    raise LookupError("broken")


async def _keeps_task_and_context(seen: list[Any]) -> None:
    task = asyncio.current_task()
    seen.append(variable.get())
    variable.set("mine")
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    seen.append((task is asyncio.current_task(), variable.get()))


async def _leaves_a_context_variable_behind(seen: list[Any]) -> None:
    seen.append(variable.get())
    variable.set("left behind")


async def _times_out(seen: list[Any]) -> None:
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(5)
    except TimeoutError:
        seen.append("timeout")
    task = asyncio.current_task()
    seen.append(task is not None and task.cancelling())


async def _cancels_itself(seen: list[Any]) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise


async def _cancels_itself_and_never_waits(seen: list[Any]) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.add_done_callback(lambda task: seen.append(("done", task.cancelled())))
    task.cancel()


async def _is_told_when_it_is_done(seen: list[Any]) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.add_done_callback(lambda task: seen.append(("done", task.cancelled())))


async def _is_cancelled_before_its_task_takes_a_step(seen: list[Any]) -> None:
    future = asyncio.get_running_loop().create_future()
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel, "by whom")
    try:
        await future
    except asyncio.CancelledError as error:
        seen.append(("cancelled", future.cancelled(), error.args))
    await asyncio.sleep(0)
    seen.append("went on")


async def _uses_cancel_scopes(seen: list[Any]) -> None:
    with anyio.move_on_after(0.001) as outer, anyio.CancelScope():
        await anyio.sleep(5)
    seen.append(outer.cancelled_caught)
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 5)
        await checkpoint()
        group.cancel_scope.cancel()
    with anyio.fail_after(5):
        await checkpoint()
    seen.append("went on")


async def _awaits_a_child(seen: list[Any]) -> None:
    async def child() -> str:
        await asyncio.sleep(0)
        return variable.get()

    variable.set("parent's")
    seen.append(await asyncio.create_task(child()))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(child())
    seen.append(task.result())


async def _looks_at_its_own_stack(seen: list[Any]) -> None:
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    seen.append([frame.f_code.co_name for frame in task.get_stack()][-1:])
    assert "pending" in repr(task)


CASES: list[Case] = [
    _returns,
    _raises,
    _raises_later,
    _keeps_task_and_context,
    _leaves_a_context_variable_behind,
    _times_out,
    _cancels_itself,
    _cancels_itself_and_never_waits,
    _is_told_when_it_is_done,
    _is_cancelled_before_its_task_takes_a_step,
    _uses_cancel_scopes,
    _awaits_a_child,
]


async def trace(runner: Any, cases: list[Case]) -> list[list[Any]]:
    """Run the cases from a plain callback, as a protocol does, and note what each saw and how it ended."""
    seen: list[list[Any]] = [[] for _ in cases]
    ended: list[asyncio.Event] = [asyncio.Event() for _ in cases]

    def start() -> None:
        for case, own, event in zip(cases, seen, ended, strict=True):

            def finish(
                error: BaseException | None, own: list[Any] = own, event: asyncio.Event = event
            ) -> None:
                own.append(("ended", type(error).__name__))
                event.set()

            runner.run(case(own), finish)

    asyncio.get_running_loop().call_soon(start)
    for event in ended:
        await event.wait()
    for _ in range(3):
        await asyncio.sleep(0)
    await runner.close()
    # When a Task tells its callbacks is not part of the comparison; that it does is.
    return [sorted(own, key=repr) for own in seen]


@pytest.mark.parametrize("case", [*CASES, _looks_at_its_own_stack])
def test_a_coroutine_sees_the_same_as_in_an_ordinary_task(case: Case) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        cases = [case, _returns, case, _keeps_task_and_context, case]
        if case is _looks_at_its_own_stack:
            seen = await trace(Runner(loop), cases)
            assert sum(["_looks_at_its_own_stack"] in own for own in seen) == 3
            return
        assert await trace(Runner(loop), cases) == await trace(oracle.Runner(loop), cases)

    run(main())


def test_all_cases_together_do_not_disturb_each_other() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert await trace(Runner(loop), CASES * 3) == await trace(oracle.Runner(loop), CASES * 3)

    run(main())


def test_coroutines_await_one_future_together() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        runner, future, seen = Runner(loop), loop.create_future(), []

        async def wait() -> None:
            seen.append(await future)

        def start() -> None:
            tasks.append(loop.create_task(wait()))
            for _ in range(3):
                runner.run(wait(), seen.append)

        tasks: list[asyncio.Task[None]] = []
        loop.call_soon(start)
        # One comes in the turn after, when the first of them may have told the future that it is awaited.
        loop.call_soon(lambda: loop.call_soon(runner.run, wait(), seen.append))
        for _ in range(3):
            await asyncio.sleep(0)
        future.set_result("it")
        await tasks[0]
        assert await runner.wait(5)
        assert seen.count("it") == 5
        assert seen.count(None) == 4
        await runner.close()

    run(main())


def test_coroutines_that_do_not_wait_share_one_task_and_end_at_once() -> None:
    async def main() -> None:
        runner = Runner(asyncio.get_running_loop())
        names: list[int] = []
        ended: list[Any] = []

        async def note() -> None:
            names.append(id(asyncio.current_task()))

        def start() -> None:
            for _ in range(5):
                runner.run(note(), ended.append)
            assert ended == [None] * 5

        asyncio.get_running_loop().call_soon(start)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(start)
        ended.clear()
        await asyncio.sleep(0)
        assert len(names) == 10
        assert len(set(names)) == 1
        await runner.close()
        assert asyncio.all_tasks() == {asyncio.current_task(), *asyncio.all_tasks()}

    run(main())


def test_a_task_that_somebody_kept_is_not_used_again_and_ends() -> None:
    async def main() -> None:
        runner = Runner(asyncio.get_running_loop())
        kept: list[Any] = []

        async def keep() -> None:
            kept.append(asyncio.current_task())

        for _ in range(3):
            asyncio.get_running_loop().call_soon(lambda: runner.run(keep(), id))
        await asyncio.sleep(0)
        assert len(set(kept)) == 3
        for _ in range(3):
            await asyncio.sleep(0)
        assert all(task.done() for task in kept)
        await runner.close()

    run(main())


def test_a_task_of_the_same_class_may_have_any_coroutine() -> None:
    async def main() -> None:
        runner = Runner(asyncio.get_running_loop())
        kept: list[Any] = []

        async def keep() -> None:
            kept.append(type(asyncio.current_task()))

        async def give_back(*values: Any) -> tuple[Any, ...]:
            await asyncio.sleep(0)
            return values

        runner.run(keep(), id)
        values = ("text", [1], {"a": 2}, 3.5)
        task = kept[0](give_back(*values))
        task.add_done_callback(id)
        task.set_name("mine")
        assert await task == values
        await runner.close()

    run(main())


def test_it_may_be_called_from_inside_another_task() -> None:
    async def main() -> None:
        runner = Runner(asyncio.get_running_loop())
        outer = asyncio.current_task()
        inner: list[Any] = []

        async def look() -> None:
            inner.append(asyncio.current_task())

        runner.run(look(), id)
        assert inner[0] is not outer
        assert asyncio.current_task() is outer
        await runner.close()

    run(main())


def test_cancel_and_wait_end_what_still_runs() -> None:
    async def main() -> None:
        runner = Runner(asyncio.get_running_loop())
        ended: list[Any] = []
        runner.run(asyncio.sleep(60), ended.append)
        assert runner.waiting_count == 1
        assert not await runner.wait(0.01)
        runner.cancel()
        assert await runner.wait(None)
        assert isinstance(ended[0], asyncio.CancelledError)
        await runner.close()

    run(main())
