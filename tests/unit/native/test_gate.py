import random

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpay._native import gate
from tests.reference import gate as oracle
from tests.support.http1_cases import LEGAL, REFUSED

HEAD_BOUNDS = {"target_bytes": 60, "header_bytes": 120, "header_count": 4}
BODY_BOUNDS = {"body_bytes": 40, "header_bytes": 60, "header_count": 3}
STREAMS = [stream for group in REFUSED.values() for _, stream in group] + [stream for stream, _ in LEGAL]
SEPARATORS = [*(bytes([byte]) for byte in b"\r\n \t:;_\x00\x7f\xff0a"), b"\r\n", b"HTTP/1.1"]


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Change a stream in one to three places."""
    for _ in range(chance.randint(1, 3)):
        place = chance.randint(0, len(data))
        kept = place + chance.choice((0, 0, 1, 1, 2, 5))
        data = data[:place] + chance.choice((b"", *SEPARATORS)) + data[kept:]
    return data


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(STREAMS), st.randoms(use_true_random=False))
def test_the_gate_and_its_oracle_agree_on_heads(stream: bytes, chance: random.Random) -> None:
    data = mutate(stream, chance)
    verdict, length = gate.judge(data, **HEAD_BOUNDS)
    assert length == oracle.judge(data, **HEAD_BOUNDS), (data, verdict)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(STREAMS), st.randoms(use_true_random=False))
def test_the_gate_and_its_oracle_agree_on_chunks(stream: bytes, chance: random.Random) -> None:
    data = mutate(stream.partition(b"\r\n\r\n")[2] or b"3\r\nabc\r\n0\r\nX: y\r\n\r\n", chance)
    verdict, length = gate.judge_body(data, **BODY_BOUNDS)
    assert length == oracle.judge_body(data, **BODY_BOUNDS)[0], (data, verdict)


def test_every_bound_is_reached_at_the_byte_after_it() -> None:
    def head(target: int, value: int, count: int) -> bytes:
        fields = b"a:\r\n" * (count - 1) + b"a:" + b"y" * value + b"\r\n"
        return b"GET " + b"/" * target + b" HTTP/1.1\r\n" + fields + b"\r\n"

    assert gate.judge(head(60, 5, 4), **HEAD_BOUNDS)[0] == 1
    assert gate.judge(head(61, 5, 4), **HEAD_BOUNDS)[0] == 6
    assert gate.judge(head(1, 5, 5), **HEAD_BOUNDS)[0] == 13
    assert gate.judge(head(1, 120 - 6, 1), **HEAD_BOUNDS)[0] == 1
    assert gate.judge(head(1, 120 - 5, 1), **HEAD_BOUNDS)[0] == 14
