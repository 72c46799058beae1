"""Both codecs of HTTP/2 side by side: what one is told, the other is told, and they must say the same."""

import random
import struct
from collections.abc import Callable
from typing import Any, cast

import hpack
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from fastpay.server import http2_engine
from fastpay.server.http2_events import Event, Http2Codec
from fastpay.server.settings import ServerSettings
from tests.support.h2_client import frame
from tests.support.h2_raw import CONTINUATION, HEADERS

Block = list[tuple[bytes, bytes]]


def split(output: bytes) -> list[tuple[int, int, int, bytes]]:
    """Return the frames of an output: kind, flags, stream, content."""
    frames, place = [], 0
    while place < len(output):
        length = int.from_bytes(output[place : place + 3], "big")
        kind, flags, stream = struct.unpack(">BBI", output[place + 3 : place + 9])
        frames.append((kind, flags, stream, output[place + 9 : place + 9 + length]))
        place += 9 + length
    assert place == len(output)
    return frames


class Half:
    """A codec, and a client's decoder for what it sends."""

    def __init__(self, codec: Http2Codec) -> None:
        self.codec = codec
        self._decoder = hpack.Decoder()
        self._decoder.max_allowed_table_size = 1 << 32

    def call(self, action: Callable[[Http2Codec], object]) -> object:
        """Return what an action returns, or that it was refused."""
        try:
            return action(self.codec)
        except (ProtocolError, KeyError):
            return "refused"

    def state(self) -> object:
        """Return all that the guard sees: what was sent in its meaning, since compressors differ."""
        sent: list[Any] = []
        block, ends = b"", 0
        for kind, flags, stream, content in split(self.codec.data_to_send()):
            assert len(content) <= self.codec.max_outbound_frame_size
            if kind in {HEADERS, CONTINUATION}:
                block += content
                ends = flags & 1 if kind == HEADERS else ends
                if flags & 4:
                    sent.append((stream, ends, list(self._decoder.decode(block, raw=True))))
                    block = b""
            else:
                sent.append((kind, flags, stream, content))
        assert not block
        return sent, self.codec.take_wasted(), self.codec.in_block, self.codec.max_outbound_frame_size


class Pair:
    """The two codecs. Each method raises AssertionError where they differ."""

    def __init__(self) -> None:
        settings = ServerSettings(header_bytes_max=2_000, header_count_max=20)
        self._halves = [Half(http2_engine.create_codecs(name, settings)()) for name in ("h2", "native")]
        self.do(lambda codec: codec.initiate_connection())

    def do(self, action: Callable[[Http2Codec], object]) -> object:
        """Do something with both."""
        theirs, ours = ((half.call(action), half.state()) for half in self._halves)
        assert ours == theirs
        return ours[0]

    def read(self, data: bytes) -> tuple[list[Event], ErrorCodes | None]:
        """Let both read."""
        return cast(tuple[list[Event], ErrorCodes | None], self.do(lambda codec: codec.read(data)))

    def read_on(self, data: bytes) -> None:
        """Let both read after an error."""
        self.do(lambda codec: codec.read_on(data))

    def window(self, stream: int) -> object:
        """Return the window of a stream for responses."""
        return self.do(lambda codec: codec.local_flow_control_window(stream))


class StrangeClient:
    """Invents frames of a client, most of them honest."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._encoder = hpack.Encoder()
        self.next_stream = -1
        self.seen: list[int] = []

    def frames(self) -> bytes:
        """Return some frames."""
        chance = self._chance
        made = b"".join(self._frame() for _ in range(chance.randint(1, 4)))
        if chance.random() < 0.04:
            changed = bytearray(made)
            for _ in range(chance.choice([1, 1, 2])):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            return bytes(changed)
        return made

    def _any_stream(self) -> int:
        if self._chance.random() < 0.003:
            return self._chance.choice([0, 2, self.next_stream, self.next_stream + 8, (1 << 31) - 1])
        return self._chance.choice(self.seen[-6:] if self._chance.random() < 0.7 else self.seen)

    def _frame(self) -> bytes:
        chance = self._chance
        if not self.seen:
            return self._open()
        sort = chance.choices(
            (self._open, self._data, self._block, self._window, self._reset, self._settings, self._other),
            (6, 5, 1, 3, 2, 1, 1),
        )[0]
        return sort()

    def _open(self) -> bytes:
        self.next_stream += self._chance.choices([0, 2, 4], [1, 60, 4])[0] if self.seen else 2
        self.seen.append(self.next_stream)
        return self._headers(self.next_stream)

    def _block(self) -> bytes:
        return self._headers(self._any_stream())

    def _headers(self, stream: int) -> bytes:
        chance = self._chance
        flags = chance.choice([0, 1, 1])
        block = self._fields()
        before = after = b""
        if chance.random() < 0.1:
            padding = chance.randrange(5)
            before, after, flags = bytes([padding]), bytes(padding), flags | 8
        if chance.random() < 0.1:
            parent = stream if chance.random() < 0.2 else chance.randrange(20)
            before, flags = before + struct.pack(">IB", parent, 3), flags | 0x20
        if chance.random() < 0.2:
            cut = chance.randint(0, len(block))
            rest = frame(CONTINUATION, 4, stream, block[cut:])
            return frame(HEADERS, flags, stream, before + block[:cut] + after) + rest
        return frame(HEADERS, flags | 4, stream, before + block + after)

    def _fields(self) -> bytes:
        chance = self._chance
        fields = [
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":path", b"/" + chance.randbytes(3).hex().encode()),
        ]
        for _ in range(chance.choice([0, 1, 3, 8])):
            name = chance.choice([b"cookie", b"x-one", b"x-two", b"Accept", b""])
            fields.append((name, chance.randbytes(chance.choice([0, 1, 8, 60, 200]))))
        if chance.random() < 0.02:
            fields += [(b"cookie", b"a=1")] * chance.choice([30, 60, 200])
        if chance.random() < 0.05:
            self._encoder.header_table_size = chance.choice([0, 100, 4_096])
        return self._encoder.encode(fields, huffman=chance.random() < 0.7)

    def _data(self) -> bytes:
        chance = self._chance
        content = bytes(chance.choice([0, 1, 10, 1_000, 16_000]))
        if chance.random() < 0.2:
            padding = chance.randrange(6)
            return frame(
                0, 8 | chance.randrange(2), self._any_stream(), bytes([padding]) + content + bytes(padding)
            )
        return frame(0, chance.choice([0, 0, 1]), self._any_stream(), content)

    def _window(self) -> bytes:
        chance = self._chance
        stream = 0 if chance.random() < 0.3 else self._any_stream()
        # An overflow ends a stream, and the connection if it is the connection's.
        weights = [9, 9, 40, 9, 1, 12 if stream else 1]
        increment = chance.choices([1, 1_000, 60_000, 1 << 20, 0, (1 << 31) - 1], weights)[0]
        return frame(8, 0, stream, struct.pack(">I", increment))

    def _reset(self) -> bytes:
        return frame(3, 0, self._any_stream(), struct.pack(">I", 8))

    def _settings(self) -> bytes:
        chance = self._chance
        if chance.random() < 0.3:
            return frame(4, 1, 0, b"")
        lawful = [
            (1, 0),
            (1, 100),
            (1, 4_096),
            (2, 0),
            (3, 9),
            (4, 0),
            (4, 1_000),
            (4, 65_535),
            (5, 20_000),
            (77, 1),
        ]
        wrong = [(2, 2), (4, 1 << 31), (5, 100), (8, 7), (4, (1 << 31) - 1)]
        chosen = chance.choices(lawful, k=chance.randint(0, 3)) + [
            one for one in wrong if chance.random() < 0.01
        ]
        body = b"".join(struct.pack(">HI", name, value) for name, value in chosen)
        return frame(4, 0, 0, body)

    def _other(self) -> bytes:
        chance = self._chance
        stream = self._any_stream()
        if chance.random() < 0.05:
            return frame(
                chance.randrange(12), chance.randrange(256), stream, chance.randbytes(chance.randrange(12))
            )
        return chance.choice(
            [
                frame(6, chance.randrange(2), 0, chance.randbytes(8)),
                frame(2, 0, stream, struct.pack(">IB", chance.choice([stream, 0, 3]), 1)),
                frame(2, 0, stream, bytes(4)),
                frame(7, 0, 0, bytes(8 + chance.randrange(4))),
                frame(0xBB, 0, stream, chance.randbytes(6)),
                frame(10, 0, 0, b"\0\1a"),
            ]
        )
