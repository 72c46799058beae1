"""How long does a payment intent take to become the bytes of its answer, beside a dict; and to be weighed?

Run: pytest benchmarks/rendering.py. The target is half of what `msgspec.json.encode` takes for the dict.
"""

import json

import msgspec
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import samples
from fastpay._native.weighing import weigh
from fastpay.api.app import RESOURCES
from tests.reference import rendering as plain
from tests.reference import weighing as plain_weighing

_FIELD_COUNT = 44


def test_payment_intent_to_bytes(benchmark: BenchmarkFixture) -> None:
    assert len(json.loads(benchmark(RESOURCES.render_bytes, samples.new_intent(), False))) == _FIELD_COUNT


def test_payment_intent_to_dict(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(RESOURCES.render, samples.new_intent(), False)) == _FIELD_COUNT


def test_plain_python_to_bytes(benchmark: BenchmarkFixture) -> None:
    assert len(json.loads(benchmark(plain.render_bytes, samples.new_intent(), False))) == _FIELD_COUNT


def test_msgspec_encode_alone(benchmark: BenchmarkFixture) -> None:
    body = plain.render(samples.new_intent(), False)
    assert len(json.loads(benchmark(msgspec.json.encode, body))) == _FIELD_COUNT


def test_payment_intent_weighed(benchmark: BenchmarkFixture) -> None:
    assert benchmark(weigh, samples.new_intent()) > 1_000


def test_plain_python_weighs_a_payment_intent(benchmark: BenchmarkFixture) -> None:
    assert benchmark(plain_weighing.weigh, samples.new_intent()) > 1_000
