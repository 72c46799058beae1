"""The benchmarks still run: each once, small, and without a word about how fast."""

import asyncio
import shutil

import pytest

from benchmarks import transport_memory
from benchmarks.transport_load import serving, wrk


def test_idle_connections_can_be_counted_and_weighed() -> None:
    with serving("fastpay", "app") as (process, port):
        asyncio.run(transport_memory.hold(port, 20, process))


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not on the path")
@pytest.mark.parametrize("app", ["app", "routed_app", "starlette_app"])
def test_each_application_answers_under_load(app: str) -> None:
    with serving("fastpay", app) as (process, port):
        figure = wrk(process, f"http://127.0.0.1:{port}/v1/payment_intents/pi_1", 1, connections=4)
        assert figure.requests > 0
