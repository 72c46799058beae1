"""Bytes that nobody thought of: no crash, no leak, and no handler for a refused request.

FASTPAY_FUZZ_SECONDS lets it run longer than the moment it gets in the test run.
"""

import asyncio
import gc
import logging
import os
import random
import time

import pytest

from fastpay._native.http1 import Connection
from tests.reference import gate as oracle
from tests.support.http1_cases import SECOND
from tests.support.http1_wire import Wire
from tests.support.http_server import run
from tests.unit.native.test_gate import STREAMS, mutate
from tests.unit.server.test_http1_policy import SMALL

SECONDS = float(os.environ.get("FASTPAY_FUZZ_SECONDS", "1"))
BOUNDS = {"target_bytes": 120, "header_bytes": 300, "header_count": 8}


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    places = sorted(chance.randint(0, len(data)) for _ in range(chance.randint(0, 4)))
    return [
        data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True) if end > start
    ]


def verdicts(statuses: list[int]) -> list[int]:
    """Return the final statuses. A head both malformed and too large is refused for what is read first."""
    return [400 if status == 431 else status for status in statuses if status != 100]


def test_mutated_streams_have_one_meaning_however_they_are_cut(caplog: pytest.LogCaptureFixture) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)  # noqa: T201 - pytest shows it when the test fails
    chance = random.Random(seed)

    async def main() -> None:
        # The failure of another test in this process may hold some.
        known = {id(node) for node in gc.get_objects() if isinstance(node, Connection)}
        wire = Wire(**SMALL)
        end = time.monotonic() + SECONDS
        count = 0
        while time.monotonic() < end or count < 500:
            count += 1
            stream = (
                b"".join(mutate(chance.choice(STREAMS), chance) for _ in range(chance.randint(1, 2))) + SECOND
            )
            statuses, bodies, handlers = wire.feed(stream)
            assert handlers == statuses.count(200) == len(bodies), stream
            assert all(status >= 400 for status in statuses[-1:] if status != 200)
            assert sum(status >= 400 for status in statuses) <= 1
            if not oracle.judge(stream, **BOUNDS):
                assert handlers == 0, stream
            again = wire.feed(*cut(stream, chance))
            assert verdicts(again[0]) == verdicts(statuses), stream
            assert again[1:] == (bodies, handlers), stream
        await asyncio.sleep(0)
        assert wire.service.runner.waiting_count == 0
        assert wire.service.connection_count == 0
        gc.collect()
        left = [node for node in gc.get_objects() if isinstance(node, Connection)]
        assert not [node for node in left if id(node) not in known]
        await wire.service.runner.close()

    with caplog.at_level(logging.ERROR):
        run(main(), timeout_seconds=SECONDS + 30)
    assert caplog.records == []
