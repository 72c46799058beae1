"""The draw of traced requests."""

from hypothesis import example, given
from hypothesis import strategies as st

from fastpay._native.sampling import Sampler, sampled_flag
from tests.reference import sampling as oracle

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_SAMPLED = PARENT[:-1] + b"0"
SECOND_NS = 1_000_000_000
SIGNS = st.sampled_from(b"0123456789abcdefABg-")
CHANGED = st.tuples(st.integers(0, 54), SIGNS).map(
    lambda change: PARENT[: change[0]] + bytes([change[1]]) + PARENT[change[0] + 1 :]
)


@given(st.one_of(CHANGED, st.tuples(CHANGED, st.binary(max_size=4)).map(b"".join), st.binary(max_size=60)))
@example(PARENT.replace(PARENT[3:35], b"0" * 32))
@example(PARENT.replace(PARENT[36:52], b"0" * 16))
@example(b"ff" + PARENT[2:])
@example(PARENT + b"-x")
@example(b"01" + PARENT[2:] + b"-x")
def test_the_flag_of_a_caller_is_read_as_the_oracle_reads_it(parent: bytes) -> None:
    assert sampled_flag(parent) == oracle.sampled_flag(parent)


def new_sampler(share: float, *, follows_callers: bool = True, per_second_max: int = 1 << 30) -> Sampler:
    return Sampler(share, b"8 bytes!", follows_callers=follows_callers, per_second_max=per_second_max)


def test_the_share_is_drawn() -> None:
    for share in (0.0, 0.01, 0.25, 1.0):
        sampler = new_sampler(share)
        drawn = sum(sampler.is_drawn(None, 0) for _ in range(100_000)) / 100_000
        assert abs(drawn - share) <= 0.1 * share * (share < 1)


def test_a_callers_decision_is_followed_only_if_the_sampler_does() -> None:
    assert new_sampler(0.0).is_drawn(PARENT, 0)
    assert not new_sampler(1.0).is_drawn(NOT_SAMPLED, 0)
    assert new_sampler(1.0).is_drawn(b"nonsense", 0)
    assert not new_sampler(0.0, follows_callers=False).is_drawn(PARENT, 0)
    assert new_sampler(1.0, follows_callers=False).is_drawn(NOT_SAMPLED, 0)


def test_no_more_than_the_ceiling_is_drawn_in_a_second_whoever_asks() -> None:
    sampler = new_sampler(1.0, per_second_max=3)
    drawn = [sampler.is_drawn(PARENT if number % 2 else None, SECOND_NS) for number in range(6)]
    assert drawn == [True, True, True, False, False, False]
    assert sampler.refused == 3
    assert sampler.is_drawn(None, 2 * SECOND_NS)
