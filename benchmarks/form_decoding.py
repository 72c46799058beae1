"""How long does a form of six fields take to become params, beside parse_qsl alone on the same bytes?

Run: pytest benchmarks/form_decoding.py. The target is a ratio of 0.21 of `parse_qsl`, all steps included.
"""

from typing import Annotated, Literal
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, Meta, UnsetType
from pytest_benchmark.fixture import BenchmarkFixture

from fastpay._native import form, strict_json
from fastpay.api.decoding import decode_params

_BODY = (
    b"amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa"
    b"&description=Order+12&metadata%5Border%5D=12"
)
_JSON_BODY = (
    b'{"amount":2000,"currency":"usd","confirm":true,"payment_method":"pm_card_visa",'
    b'"description":"Order 12","metadata":{"order":"12"}}'
)


class _Payment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    amount: Annotated[int, Meta(ge=1, le=99_999_999)]
    currency: str
    confirm: bool = False
    payment_method: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    metadata: dict[str, str] | Literal[""] | UnsetType = UNSET
    capture_method: Literal["automatic", "manual"] = "automatic"


def test_form_to_params(benchmark: BenchmarkFixture) -> None:
    content_type = "application/x-www-form-urlencoded"
    params = benchmark(decode_params, _Payment, content_type=content_type, body=_BODY, query=b"")
    assert params.metadata == {"order": "12"}


def test_form_to_tree(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(form.parse, _BODY)) == 6


def test_parse_qsl_alone(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(parse_qsl, _BODY)) == 6


def test_json_to_params(benchmark: BenchmarkFixture) -> None:
    params = benchmark(decode_params, _Payment, content_type="application/json", body=_JSON_BODY, query=b"")
    assert params.amount == 2000


def test_strict_json_to_tree(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(strict_json.decode, _JSON_BODY)) == 6


def test_plain_msgspec_to_tree(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(msgspec.json.decode, _JSON_BODY)) == 6
