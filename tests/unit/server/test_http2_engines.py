"""Both engines of HTTP/2 mean the same by the same bytes.

FASTPAY_FUZZ_SECONDS lets the comparison run longer than the moment it gets in the test run.
"""

import logging
import os
import random
import time
from pathlib import Path

import pytest
from h2.errors import ErrorCodes

from fastpay.errors import ConfigurationError
from fastpay.server import http2_engine
from fastpay.server import http2_events as events
from fastpay.server.listener import Server
from fastpay.server.settings import ServerSettings
from tests.support.h2_client import PREFACE
from tests.support.h2_pair import Pair, StrangeClient
from tests.support.http_server import answering, run

SECONDS = float(os.environ.get("FASTPAY_FUZZ_SECONDS", "1"))


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    places = sorted(chance.randint(0, len(data)) for _ in range(chance.choice([0, 0, 1, 3])))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


class Guard:
    """Does with both codecs what the guard does with one, on streams that may be gone."""

    def __init__(self, pair: Pair, chance: random.Random) -> None:
        self._pair = pair
        self._chance = chance
        # Open streams, and whether their response has begun.
        self._begun: dict[int, bool] = {}

    def take(self, found: list[events.Event]) -> None:
        for kind, number, _, _, _ in found:
            if kind == events.REQUEST:
                self._begun[number] = False
            elif kind == events.RESET and self._chance.random() < 0.8:
                self._begun.pop(number, None)

    def act(self) -> None:
        chance, pair = self._chance, self._pair
        if not self._begun:
            return
        number = chance.choice(list(self._begun))
        ends = chance.random() < 0.5
        if chance.random() < 0.1:
            pair.do(lambda codec: codec.reset_stream(number, 8))
            del self._begun[number]
        elif chance.random() < 0.1:
            pair.do(lambda codec: codec.increment_flow_control_window(9_000, number))
            pair.do(lambda codec: codec.increment_flow_control_window(9_000))
        elif not self._begun[number]:
            self._respond(number, ends=ends)
        elif chance.random() < 0.2:
            pair.do(lambda codec: codec.end_stream(number))
            self._ended(number)
        else:
            window = pair.window(number)
            size = chance.choice([0, 1, 5_000, 16_384])
            if isinstance(window, int) and window >= size:
                pair.do(lambda codec: codec.send_data(number, bytes(size), ends))
                if ends:
                    self._ended(number)

    def _respond(self, number: int, *, ends: bool) -> None:
        chance = self._chance
        if chance.random() < 0.1:
            self._pair.do(lambda codec: codec.send_headers(number, [(b":status", b"100")]))
            return
        fields = [(b":status", b"200"), (b"request-id", b"req_%d" % number)]
        if chance.random() < 0.1:
            # Larger than a frame.
            fields += [(b"x-%d" % index, chance.randbytes(500)) for index in range(50)]
        self._pair.do(lambda codec: codec.send_headers(number, fields, ends))
        self._begun[number] = True
        if ends:
            self._ended(number)

    def _ended(self, number: int) -> None:
        del self._begun[number]
        if self._chance.random() < 0.1:
            self._pair.do(lambda codec: codec.reset_answered(number, ErrorCodes.PROTOCOL_ERROR))


def converse(chance: random.Random) -> int:
    """Let a client and a guard talk for a while; return how many events there were."""
    pair, client, count = Pair(), StrangeClient(chance), 0
    guard = Guard(pair, chance)
    pair.read(PREFACE)
    for _ in range(chance.choice([10, 100])):
        for piece in cut(client.frames(), chance):
            found, fault = pair.read(piece)
            count += len(found)
            guard.take(found)
            if fault is not None:
                for _ in range(5):
                    guard.act()
                    pair.read_on(client.frames())
                return count
            while chance.random() < 0.5:
                guard.act()
    return count


def test_the_same_bytes_give_the_same_events_and_the_same_end() -> None:
    if http2_engine.why_not_native():
        pytest.skip(http2_engine.why_not_native())
    seed = random.randrange(1 << 32)
    print("seed", seed)  # noqa: T201 - pytest shows it when the test fails
    chance = random.Random(seed)
    end, rounds, count = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < end or rounds < 20:
        count += converse(chance)
        rounds += 1
    assert count > rounds


def test_native_is_chosen_where_it_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_engine, "why_not_native", lambda: "")
    assert [http2_engine.choose(None), http2_engine.choose("native"), http2_engine.choose("h2")] == [
        *("native", "native", "h2")
    ]


def test_a_library_without_known_repairs_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hpack = pytest.importorskip("fastpay._native.hpack")
    monkeypatch.setattr(hpack, "linked_version", lambda: (1, 51, 0))
    with caplog.at_level(logging.WARNING):
        assert http2_engine.choose("h2") == "h2"
        assert caplog.records == []
        assert http2_engine.choose(None) == "h2"
    assert [record.message for record in caplog.records] == ["http2_engine_replaced"]
    with pytest.raises(ConfigurationError, match=r"libnghttp2 1\.51\.0 is older than 1\.52\.0"):
        http2_engine.choose("native")


def test_a_server_that_cannot_have_the_named_engine_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_engine, "_missing", ImportError("libnghttp2.so.14"))

    async def main() -> None:
        with pytest.raises(ConfigurationError, match=r"libnghttp2\.so\.14"):
            await Server(answering(), ServerSettings(port=0, http2_engine="native")).start()
        server = Server(answering(), ServerSettings(port=0))
        await server.start()
        await server.stop()

    run(main())


def test_native_is_built_where_the_library_is() -> None:
    if not Path("/usr/include/nghttp2/nghttp2.h").exists():
        pytest.skip("libnghttp2-dev is not installed")
    assert http2_engine.why_not_native() == ""
