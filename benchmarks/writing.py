"""How long does what was decided take to become what is sent, and a snapshot an object again?

Run: pytest benchmarks/writing.py. A batch has 64 payments; divide by that.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import samples
from fastpay._native.grouping import group
from fastpay._native.packing import Packer
from fastpay.domain.kinds import NUMBERS
from fastpay.domain.objects import PaymentIntent
from fastpay.store import columns, rows
from tests.reference import grouping as plain_grouping
from tests.reference import packing as plain_packing

_BATCH = 64


def test_rows_of_a_batch(benchmark: BenchmarkFixture) -> None:
    written = dict(benchmark(columns.writes, samples.new_changes(_BATCH)))
    assert len(written["write_new_payment_intents"][0]) == _BATCH
    assert len(written["write_versions"][0]) == 3 * _BATCH


def test_arguments_of_a_batch(benchmark: BenchmarkFixture) -> None:
    """The rows among them."""
    encoded = benchmark(columns.encode, samples.new_changes(_BATCH))
    assert len(encoded.arguments) == 80


def test_snapshot_to_bytes(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(rows.encode, samples.new_intent())) < 400


def test_bytes_to_snapshot(benchmark: BenchmarkFixture) -> None:
    intent = samples.new_intent()
    decoder = msgspec.msgpack.Decoder(PaymentIntent)
    assert benchmark(decoder.decode, rows.encode(intent)) == intent


def test_a_payment_without_its_tail(benchmark: BenchmarkFixture) -> None:
    intent = samples.new_intent()
    names = intent.__struct_fields__
    tails: dict[Any, tuple[int, tuple[object, ...]]] = {
        type(intent): (len(names) - 3, tuple(getattr(intent, name) for name in names[-3:]))
    }
    assert benchmark(Packer(tails).pack, intent) == plain_packing.pack(tails, intent)


def test_a_payment_without_its_tail_by_the_library(benchmark: BenchmarkFixture) -> None:
    intent = samples.new_intent()
    tails = {type(intent): (len(intent.__struct_fields__) - 1, (intent.challenge_url,))}
    assert len(benchmark(plain_packing.pack, tails, intent)) < 400


def test_rows_by_their_tables(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(columns.SORTER.sort, samples.new_changes(_BATCH).drafts)[0][0]) == 3 * _BATCH


def test_rows_by_their_tables_in_python(benchmark: BenchmarkFixture) -> None:
    made = benchmark(plain_grouping.sort, samples.new_changes(_BATCH).drafts, NUMBERS)
    assert len(made[0][0]) == 3 * _BATCH


@pytest.mark.parametrize("by", [group, plain_grouping.group], ids=["compiled", "plain"])
def test_objects_of_a_batch_by_their_types(benchmark: BenchmarkFixture, by: Callable[..., Any]) -> None:
    objects = [versioned.object for _, versioned in samples.new_changes(_BATCH).versions]
    assert len(benchmark(by, [type(one) for one in objects], (objects,))) == 3
