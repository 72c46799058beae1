"""How long does a payment intent take to become the bytes of its answer, beside encoding the same dict alone?

Run: pytest benchmarks/rendering.py. The target is half of what `msgspec.json.encode` takes for the dict.
"""

import json

import msgspec
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import samples
from fastpay.api.answers import encode
from fastpay.api.rendering import render
from fastpay.domain.objects import PaymentIntent

_FIELD_COUNT = 42


def _to_bytes(intent: PaymentIntent) -> bytes:
    return encode(render(intent, False))


def test_payment_intent_to_bytes(benchmark: BenchmarkFixture) -> None:
    assert len(json.loads(benchmark(_to_bytes, samples.new_intent()))) == _FIELD_COUNT


def test_payment_intent_to_dict(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(render, samples.new_intent(), False)) == _FIELD_COUNT


def test_msgspec_encode_alone(benchmark: BenchmarkFixture) -> None:
    body = render(samples.new_intent(), False)
    assert len(json.loads(benchmark(msgspec.json.encode, body))) == _FIELD_COUNT
