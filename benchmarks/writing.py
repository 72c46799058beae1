"""How long does what was decided take to become what is sent, and a snapshot an object again?

Run: pytest benchmarks/writing.py. A batch has 64 payments; divide by that.
"""

from typing import Any

import msgspec
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import samples
from fastpay._native.tails import Tails
from fastpay.domain.objects import PaymentIntent
from fastpay.store import columns, rows
from tests.reference import tails as plain_tails

_BATCH = 64


def test_records_of_a_batch(benchmark: BenchmarkFixture) -> None:
    written = dict(benchmark(columns.writes, samples.new_changes(_BATCH)))
    assert len(written["write_new_payment_intents"]) == _BATCH
    assert len(written["write_versions"]) == 3 * _BATCH


def test_arguments_of_a_batch(benchmark: BenchmarkFixture) -> None:
    """The records among them."""
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
    assert benchmark(Tails(tails).shorten, intent) == plain_tails.shorten(tails, intent)


def test_a_payment_without_its_tail_in_plain_python(benchmark: BenchmarkFixture) -> None:
    intent = samples.new_intent()
    tails = {type(intent): (len(intent.__struct_fields__) - 1, (intent.challenge_url,))}
    assert len(benchmark(plain_tails.shorten, tails, intent)) == len(intent.__struct_fields__) - 1
