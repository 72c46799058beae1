"""The cache, compared with its oracle step by step; and what it promises whatever is done to it."""

import gc
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpay._native.cache import Cache, CachedResponse, Partition
from tests.reference import cache as oracle

SCOPES = ("a", "b")
NAMES = st.sampled_from([f"cus_{number}" for number in range(12)])
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("put"), st.sampled_from(SCOPES), NAMES, st.integers(1, 5), st.sampled_from([0, 90, 700])
        ),
        st.tuples(st.just("absent"), st.sampled_from(SCOPES), NAMES, st.integers(0, 9), st.just(0)),
        st.tuples(st.just("find"), st.sampled_from(SCOPES), NAMES, st.integers(0, 9), st.just(0)),
        st.tuples(st.just("render"), st.sampled_from(SCOPES), NAMES, st.integers(0, 400), st.just(0)),
        st.tuples(st.just("drop"), st.sampled_from(SCOPES), NAMES, st.integers(1, 5), st.just(0)),
        st.tuples(st.just("void"), st.sampled_from(SCOPES), st.just(""), st.just(0), st.just(0)),
    ),
    max_size=120,
)
FOREVER = 1 << 60


def partition_of(cache: Cache, scope: str) -> Partition:
    """Return a partition that may be shown."""
    partition = cache.partition(scope)
    partition.valid_until_ns = FOREVER
    return partition


def response(head: bytes, body: bytes) -> CachedResponse:
    """Return an answer."""
    return CachedResponse("/", head, b"", body, b'"1"', is_encodable=True)


@settings(max_examples=400)
@given(STEPS, st.sampled_from([0, 5_000, 6_400, 16_000, 40_000]))
def test_the_cache_and_its_oracle_hold_the_same(
    steps: list[tuple[str, str, str, int, int]], bytes_max: int
) -> None:
    cache, plain = Cache(bytes_max), oracle.Cache(bytes_max)
    for action, scope, name, number, weight in steps:
        partition = partition_of(cache, scope)
        match action:
            case "put":
                # Half of them are limited.
                until = FOREVER if weight == 90 else 3 * number
                cache.put(partition, name, number, f"{name} {number}", weight, until)
                plain.put(scope, name, number, weight, until)
            case "absent":
                cache.put_absent(partition, name, number)
                plain.put_absent(scope, name, number)
            case "find":
                entry = cache.find(partition, name, number)
                found = plain.find(scope, name, number)
                assert (entry is None) == (found is None)
                if entry is not None and found is not None:
                    shown = None if entry.response is None else entry.response.body
                    assert (entry.version, shown) == found
                    assert entry.value == (f"{name} {entry.version}" if entry.version else None)
            case "render":
                if name in partition.entries:
                    cache.render(partition.entries[name], response(b"h", b"b" * number))
                    plain.render(scope, name, b"h", b"b" * number)
            case "drop":
                cache.drop(partition, name, number)
                plain.drop(scope, name, number)
            case "void":
                cache.void(partition)
                plain.void(scope)
        assert cache.bytes_held == plain.held() <= max(bytes_max, 0)
        alive = {(one.scope, one.identifier) for one in plain.new + plain.used if not one.is_gone}
        assert {(scope, name) for scope in SCOPES for name in cache.partition(scope).entries} == alive


def test_nothing_is_shown_from_a_partition_whose_proof_has_run_out() -> None:
    cache = Cache(1 << 20)
    partition = cache.partition("a")
    cache.put(partition, "cus_1", 1, "one", 10)
    assert cache.find(partition, "cus_1", 0) is None
    partition.valid_until_ns = 5
    assert cache.find(partition, "cus_1", 4) is not None
    assert partition.was_used
    assert cache.find(partition, "cus_1", 5) is None
    assert (cache.hits, cache.negative_hits) == (1, 0)


def test_an_entry_with_a_limit_of_its_own_is_shown_until_then_or_until_the_same_version_has_a_later_one() -> (
    None
):
    cache = Cache(1 << 20)
    partition = partition_of(cache, "a")
    cache.put(partition, "cus_1", 1, "one", 10, 5)
    assert cache.find(partition, "cus_1", 4) is not None
    assert cache.find(partition, "cus_1", 5) is None
    cache.put(partition, "cus_1", 1, "one", 10, 3)
    assert cache.find(partition, "cus_1", 4) is not None
    cache.put(partition, "cus_1", 1, "one", 10)
    assert cache.find(partition, "cus_1", FOREVER - 1) is not None
    cache.put(partition, "cus_1", 2, "two", 10, 5)
    assert cache.find(partition, "cus_1", 5) is None


def test_a_flood_of_objects_that_nobody_reads_leaves_those_that_are_read() -> None:
    cache = Cache(100_000)
    partition = partition_of(cache, "a")
    for number in range(20):
        cache.put(partition, f"read_{number}", 1, number, 1_000)
        assert cache.find(partition, f"read_{number}", 0) is not None
    for number in range(1_000):
        cache.put(partition, f"written_{number}", 1, number, 1_000)
    assert all(cache.find(partition, f"read_{number}", 0) is not None for number in range(20))


def test_a_new_version_forgets_what_was_rendered_from_the_old_one() -> None:
    cache = Cache(1 << 20)
    partition = partition_of(cache, "a")
    entry = cache.put(partition, "cus_1", 1, "one", 10)
    assert entry is not None
    cache.render(entry, response(b"", b"rendered from one"))
    assert entry.response is not None
    cache.encode(entry, entry.response, "gzip", response(b"", b"smaller"))
    before = cache.bytes_held
    cache.put(partition, "cus_1", 2, "two", 10)
    found = cache.find(partition, "cus_1", 0)
    assert found is not None
    assert (found.version, found.value, found.response) == (2, "two", None)
    assert cache.bytes_held < before


def test_other_forms_of_an_answer_count_and_leave_with_its_entry() -> None:
    cache = Cache(1 << 20)
    partition = partition_of(cache, "a")
    entry = cache.put(partition, "cus_1", 1, "one", 10)
    assert entry is not None
    answer = response(b"", b"body")
    cache.render(entry, answer)
    before = cache.bytes_held
    cache.encode(entry, answer, "gzip", response(b"", b"s" * 1_000))
    assert cache.bytes_held >= before + 1_000
    held = cache.bytes_held
    # A form that is there is not counted again, and one of another answer is none of this entry's.
    cache.encode(entry, answer, "gzip", response(b"", b"s"))
    cache.encode(entry, response(b"", b"body"), "br", response(b"", b"s"))
    assert list(answer.encoded) == ["gzip"]
    assert len(answer.encoded["gzip"].body) == 1_000
    # One that would take too much of the cache is not kept.
    cache.encode(entry, answer, "br", response(b"", b"s" * (cache.bytes_max // 16)))
    assert list(answer.encoded) == ["gzip"]
    assert cache.bytes_held == held
    cache.drop(partition, "cus_1", 2)
    cache.encode(entry, answer, "zstd", response(b"", b"s"))
    assert list(answer.encoded) == ["gzip"]
    assert entry.response is None
    assert cache.bytes_held < before


def test_what_holds_a_secret_gets_no_other_form() -> None:
    cache = Cache(1 << 20)
    entry = cache.put(partition_of(cache, "a"), "pi_1", 1, "one", 10)
    assert entry is not None
    secret = CachedResponse("/", b"", b"", b"body", b'"1"', is_encodable=False)
    cache.render(entry, secret)
    cache.encode(entry, secret, "gzip", response(b"", b"s"))
    assert secret.encoded == {}


def test_forms_push_out_what_they_take_the_place_of() -> None:
    cache = Cache(100_000)
    partition = partition_of(cache, "a")
    for number in range(60):
        entry = cache.put(partition, f"cus_{number}", 1, number, 100)
        assert entry is not None
        answer = response(b"", b"body")
        cache.render(entry, answer)
        cache.encode(entry, answer, "gzip", response(b"", b"s" * 3_000))
        assert cache.bytes_held <= cache.bytes_max
    assert 0 < len(cache) < 60


def test_nothing_is_rendered_into_an_entry_that_has_left() -> None:
    cache = Cache(1 << 20)
    partition = partition_of(cache, "a")
    entry = cache.put(partition, "cus_1", 1, "one", 10)
    assert entry is not None
    cache.void(partition)
    held = cache.bytes_held
    cache.render(entry, response(b"", b"body"))
    assert entry.response is None
    assert cache.bytes_held == held


def test_what_left_is_not_kept_alive() -> None:
    class Value:
        """Something that can be counted."""

    value = Value()
    count = sys.getrefcount(value)
    cache = Cache(20_000)
    partition = partition_of(cache, "a")
    cache.put(partition, "cus_1", 1, value, 100)
    assert sys.getrefcount(value) == count + 1
    cache.drop(partition, "cus_1", 2)
    assert sys.getrefcount(value) == count
    for number in range(200):
        cache.put(partition, f"cus_{number + 2}", 1, value, 100)
    assert sys.getrefcount(value) - count == len(cache) < 200
    del cache, partition
    gc.collect()
    assert sys.getrefcount(value) == count


@pytest.mark.parametrize("weight", [1_000, 100_000])
def test_forgotten_partitions_show_nothing_however_long_somebody_holds_them(weight: int) -> None:
    cache = Cache(1 << 20)
    partition = partition_of(cache, "a")
    cache.put(partition, "cus_1", 1, "one", weight)
    cache.forget_partitions()
    assert cache.find(partition, "cus_1", 0) is None
    assert cache.partition("a") is not partition
