"""How long does a payment intent take to become the bytes of its answer, beside encoding a dict?

Run: pytest benchmarks/rendering.py. The target is half of what `msgspec.json.encode` takes for the dict.
"""

import json

import msgspec
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import samples
from fastpay.api.rendering import render, render_bytes
from tests.reference import rendering as plain

_FIELD_COUNT = 42


def test_payment_intent_to_bytes(benchmark: BenchmarkFixture) -> None:
    assert len(json.loads(benchmark(render_bytes, samples.new_intent(), False))) == _FIELD_COUNT


def test_payment_intent_to_dict(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(render, samples.new_intent(), False)) == _FIELD_COUNT


def test_plain_python_to_bytes(benchmark: BenchmarkFixture) -> None:
    assert len(json.loads(benchmark(plain.render_bytes, samples.new_intent(), False))) == _FIELD_COUNT


def test_msgspec_encode_alone(benchmark: BenchmarkFixture) -> None:
    body = plain.render(samples.new_intent(), False)
    assert len(json.loads(benchmark(msgspec.json.encode, body))) == _FIELD_COUNT
