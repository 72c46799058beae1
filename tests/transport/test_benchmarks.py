"""The benchmarks still run: each once, small, and without a word about how fast."""

import shutil
import socket
import sys
import time
from pathlib import Path

import pytest

from benchmarks import holding, transport_floods, transport_http1, transport_idle, transport_memory
from benchmarks.transport_http2 import make_certificate
from benchmarks.transport_load import bounded, load, serving, wrk


def test_idle_connections_can_be_counted_and_weighed(tmp_path: Path) -> None:
    transport_memory.weigh("fastpay", 20)
    transport_memory.weigh("fastpay", 20, *make_certificate(tmp_path))


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not on the path")
def test_busy_connections_are_compared_with_and_without_idle_ones() -> None:
    (pair,) = transport_idle.compare(20, 1, 1)
    assert min(pair) > 0


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not on the path")
def test_a_cached_payment_is_answered_over_tls(tmp_path: Path) -> None:
    found = transport_http1.measure([("fastpay", "cached_app")], 1, 1, *make_certificate(tmp_path))
    assert found["fastpay"][0].requests > 0


@pytest.mark.parametrize("name", ["PING", "rapid reset"])
def test_a_flood_floods_and_lets_others_through(name: str) -> None:
    assert transport_floods.measure(name, 0.2, 2).floods_per_second > 0


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not on the path")
@pytest.mark.parametrize("app", ["app", "routed_app", "starlette_app"])
def test_each_application_answers_under_load(app: str) -> None:
    with serving("fastpay", app) as (process, port):
        figure = wrk(process, f"http://127.0.0.1:{port}/v1/payment_intents/pi_1", 1, connections=4)
        assert figure.requests > 0


def test_a_server_that_takes_connections_and_says_nothing_ends_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding, "OPENING_SECONDS", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(TimeoutError, match="3 connections were not open"),
        holding.holding(silent.getsockname()[1], 3),
    ):
        pass


def test_a_part_that_hangs_is_named() -> None:
    with pytest.raises(TimeoutError, match="waiting for nothing hung"), bounded(0.05, "waiting for nothing"):
        time.sleep(60)


def test_a_load_generator_that_does_not_end_is_named() -> None:
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
    with serving("fastpay", "app") as (process, _), pytest.raises(TimeoutError, match="did not end within"):
        load(process, sleeping, "x", seconds_max=0.3)
