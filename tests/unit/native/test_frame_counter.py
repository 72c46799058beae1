"""Frames are counted as the oracle counts them, however their bytes are cut."""

import random
import struct

from fastpay._native.frame_counter import FrameCounter
from tests.reference import frame_counter as oracle


def invent(chance: random.Random) -> bytes:
    """Return a preface and frames of all types, some of them padded, empty or tiny."""
    frames = [bytes(24)]
    for _ in range(chance.choice([1, 5, 40])):
        size = chance.choice([0, 1, 2, 63, 64, 65, 66, 300])
        head = struct.pack(">I", size)[1:] + bytes(
            [chance.choice([0, 0, 0, 1, 3, 6, 9, 9]), chance.choice([0, 1, 8, 9])]
        )
        frames.append(head + struct.pack(">I", chance.randrange(9)) + chance.randbytes(size))
    return b"".join(frames)


def test_frames_are_counted_as_the_oracle_counts_them() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)  # noqa: T201 - pytest shows it when the test fails
    chance = random.Random(seed)
    stopped = 0
    for _ in range(2_000):
        data, ours, plain = invent(chance), FrameCounter(), oracle.FrameCounter()
        while data:
            size = chance.choice([1, 7, 30, 1_000])
            piece, data = data[:size], data[size:]
            control_max, resets_max = chance.choice([3.5, 50.0]), chance.choice([1.5, 50.0])
            found = ours.count(piece, control_max=control_max, resets_max=resets_max)
            assert found == plain.count(piece, control_max=control_max, resets_max=resets_max)
            assert (ours.control, ours.resets) == (plain.control, plain.resets)
            if found >= 0:
                # The connection ends here: nothing is counted after one frame too many.
                stopped += 1
                break
    assert stopped > 100
