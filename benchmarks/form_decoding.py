"""How long does a form of six fields take to become params, beside parse_qsl alone on the same bytes?

Run: pytest benchmarks/form_decoding.py. The target is a ratio of 0.21 of `parse_qsl`, all steps included.
"""

from urllib.parse import parse_qsl

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import samples
from fastpay._native import form, strict_json
from fastpay.api import decoding
from fastpay.api.decoding import decode_params
from fastpay.api.resources.payment_intents.params import CreateParams
from tests.reference import form_params as plain

_FORM = "application/x-www-form-urlencoded"
_JSON_BODY = (
    b'{"amount":2000,"currency":"usd","confirm":true,"payment_method":"pm_card_visa",'
    b'"description":"Order 12","metadata":{"order":"12"}}'
)


def test_form_to_params(benchmark: BenchmarkFixture) -> None:
    params = benchmark(decode_params, CreateParams, content_type=_FORM, body=samples.BODY, query=b"")
    assert params.metadata == {"order": "12"}


def test_form_to_params_by_the_careful_reader(
    benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "decode_plainly", plain.decode_plainly)
    params = benchmark(decode_params, CreateParams, content_type=_FORM, body=samples.BODY, query=b"")
    assert params.metadata == {"order": "12"}


def test_form_to_tree(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(form.parse, samples.BODY)) == 6


def test_parse_qsl_alone(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(parse_qsl, samples.BODY)) == 6


def test_json_to_params(benchmark: BenchmarkFixture) -> None:
    params = benchmark(
        decode_params, CreateParams, content_type="application/json", body=_JSON_BODY, query=b""
    )
    assert params.amount == 2000


def test_strict_json_to_tree(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(strict_json.decode, _JSON_BODY)) == 6


def test_plain_msgspec_to_tree(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(msgspec.json.decode, _JSON_BODY)) == 6
