"""HPACK by libnghttp2 and by the library hpack give the same fields and the same faults."""

import os
import random
import re
import subprocess
import time
from pathlib import Path

import pytest

from fastpay.server import http2_engine
from tests.reference import hpack as oracle

if http2_engine.why_not_native():
    pytest.skip(http2_engine.why_not_native(), allow_module_level=True)

import hpack as library

from fastpay._native import hpack
from fastpay._native.hpack import Deflater, Inflater

SECONDS = float(os.environ.get("FASTPAY_FUZZ_SECONDS", "1"))
BYTES_MAX, FIELDS_MAX = 4_000, 40

# What only begins a block, a literal, an index, a table size; and strings that go on too long.
PIECES = (b"\x82", b"\xbe", b"\xc0", b"\x40", b"\x00", b"\x10", b"\x20", b"\x3f\xe1\x1f", b"\x3f\xe2\x1f")
ENDLESS = (
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\xff\x80\x80\x80\x80\x80\x01",
    b"\x01a\x7f\xff\xff\x7f",
    b"\x01\xff",
)


def block_of(encoder: library.Encoder, chance: random.Random) -> bytes:
    """Return a field block, honest or not."""
    names = (b":path", b"cookie", b"x", b"authorization", b"")
    fields = [
        (chance.choice(names), chance.randbytes(chance.choice([0, 1, 20, 300])))
        for _ in range(chance.choice([0, 1, 4, 12]))
    ]
    if chance.random() < 0.1:
        encoder.header_table_size = chance.choice([0, 64, 4_096])
    block = bytearray(encoder.encode(fields, huffman=chance.random() < 0.5))
    if chance.random() < 0.3:
        place = chance.randint(0, len(block))
        piece = chance.choice(PIECES + ENDLESS) if chance.random() < 0.5 else chance.randbytes(3)
        block[place : place + chance.randrange(3)] = piece
    return bytes(block)


def test_blocks_decode_as_the_oracle_decodes_them() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)  # noqa: T201 - pytest shows it when the test fails
    chance = random.Random(seed)
    end, faults = time.monotonic() + SECONDS, 0
    while time.monotonic() < end or faults < 100:
        ours, plain = Inflater(BYTES_MAX, FIELDS_MAX), oracle.Inflater(BYTES_MAX, FIELDS_MAX)
        encoder = library.Encoder()
        for _ in range(20):
            block = block_of(encoder, chance)
            (fields, fault), (expected, due) = ours.inflate(block), plain.inflate(block)
            assert fault == due, block
            if fault:
                faults += 1
                break
            assert fields == expected, block


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        (b"\x82" * (BYTES_MAX // 42), oracle.TOO_LARGE),
        (b"\x82" * FIELDS_MAX, 0),
        (b"\x82" * (FIELDS_MAX + 1), oracle.TOO_LARGE),
        (b"\x40\x01a\x7f\xff\x1f" + b"y" * 3_000, oracle.BROKEN),
        (b"\x00\x01a\x7f\xa1\x1e" + b"y" * 4_000, oracle.TOO_LARGE),
    ],
)
def test_bounds_are_those_of_the_oracle(block: bytes, fault: int) -> None:
    assert Inflater(BYTES_MAX, FIELDS_MAX).inflate(block)[1] == fault
    assert oracle.Inflater(BYTES_MAX, FIELDS_MAX).inflate(block)[1] == fault


def test_what_is_compressed_is_decoded_by_the_oracle() -> None:
    chance = random.Random(1)
    ours, decoder = Deflater(4_096), library.Decoder(1 << 20)
    decoder.max_allowed_table_size = 1 << 32
    for number in range(300):
        if number % 50 == 49:
            ours.resize(chance.choice([0, 100, 4_096, 1 << 30]))
        fields = [
            (b":status", b"200"),
            *(
                (b"x-%d" % chance.randrange(90), chance.randbytes(9))
                for _ in range(chance.choice([0, 5, 60]))
            ),
        ]
        assert list(decoder.decode(ours.deflate(fields), raw=True)) == fields
        assert decoder.header_table_size <= 4_096


def test_only_hpack_is_taken_from_the_library() -> None:
    """The holes of libnghttp2 that ended processes are in its session."""
    undefined = subprocess.run(
        ["nm", "-D", "--undefined-only", Path(hpack.__file__)], capture_output=True, text=True, check=True
    ).stdout
    taken = set(re.findall(r"\bnghttp2_\w+", undefined))
    assert {name for name in taken if not name.startswith("nghttp2_hd_")} == {"nghttp2_version"}
    assert "nghttp2_hd_inflate_hd2" in taken
