"""What the cache believes that its entries take, beside what the allocator says."""

import gc
import tracemalloc

import pytest

from benchmarks import cache_memory
from fastpay.domain.objects import StoredObject

ENTRIES = 400
# Rather more than less: defaults that all share count. Of what is small, or rendered, the cache's own part is
# larger.
MOST = {"plain": 1.7, "rendered": 1.35, "encoded": 1.35}


@pytest.fixture(scope="module", autouse=True)
def what_other_tests_left_is_not_collected() -> None:
    """Objects of thousands of tests take longer to look at than the entries."""
    gc.collect()
    gc.freeze()


@pytest.mark.parametrize("stage", cache_memory.STAGES)
@pytest.mark.parametrize("stored", cache_memory.objects().values(), ids=cache_memory.objects().keys())
def test_entries_take_no_more_than_is_believed_and_not_much_less(stored: StoredObject, stage: str) -> None:
    cache_memory.fill(stored, stage, cache_memory.copies(stored, 2))
    snapshots = cache_memory.copies(stored, ENTRIES)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        cache = cache_memory.fill(stored, stage, snapshots)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(cache) == ENTRIES
    assert taken <= cache.bytes_held <= MOST[stage] * taken
