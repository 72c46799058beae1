"""Requests to params: what forms and JSON mean, what is refused, and how a refusal names the parameter."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from fastpay import limits
from fastpay.api.accepted_values import Accepted, accepted_by
from fastpay.api.app import ROUTES
from fastpay.api.decoding import _read_scalar, decode_params
from fastpay.api.resources.ledger_batches.decoding import BatchParams, CreateBatchParams
from fastpay.errors import InvalidRequest
from tests.unit.api.example_params import (
    Address,
    Created,
    Example,
    Item,
    Shipping,
    decode_form,
    decode_json,
)


@pytest.mark.parametrize(
    ("body", "name", "value"),
    [
        (b"offset=2000", "offset", 2000),
        (b"offset=-5", "offset", -5),
        (b"offset=08", "offset", 8),
        (b"offset=9223372036854775807", "offset", 2**63 - 1),
        (b"confirm=true", "confirm", True),
        (b"confirm=false", "confirm", False),
        (b"confirm=True", "confirm", True),
        (b"confirm=False", "confirm", False),
        (b"off_session=true", "off_session", True),
        (b"off_session=True", "off_session", True),
        (b"description=True", "description", "True"),
        (b"off_session=one_off", "off_session", "one_off"),
        (b"capture_method=manual", "capture_method", "manual"),
        (b"version=2", "version", 2),
        (b"description=null", "description", "null"),
        (b"description=None", "description", "None"),
        (b"description=12", "description", "12"),
        (b"description=true", "description", "true"),
        (b"description=1e3", "description", "1e3"),
        (b"description=", "description", None),
        (b"limit=", "limit", None),
        (b"shipping=", "shipping", None),
        (b"metadata=", "metadata", ""),
        (b"metadata[order]=12", "metadata", {"order": "12"}),
        (b"metadata%5Border%5D=true", "metadata", {"order": "true"}),
        (b"metadata[2024]=x&metadata[0]=y", "metadata", {"2024": "x", "0": "y"}),
        (b"metadata[gone]=", "metadata", {"gone": ""}),
        (b"counts[a]=3", "counts", {"a": 3}),
        (b"expand[]=a&expand[]=b", "expand", ["a", "b"]),
        (b"expand[1]=b&expand[0]=a", "expand", ["a", "b"]),
        (b"created=5", "created", 5),
        (b"created[gt]=5", "created", Created(gt=5)),
        (b"items[1][price]=q&items[0][price]=p&items[0][quantity]=2", "items",
         (Item(price="p", quantity=2), Item(price="q"))),
        (b"shipping[name]=N&shipping[address][line1]=L&shipping[address][city]=", "shipping",
         Shipping(name="N", address=Address(line1="L", city=None))),
    ],
)  # fmt: skip
def test_a_form_converts_by_the_target_type(body: bytes, name: str, value: Any) -> None:
    assert getattr(decode_form(body), name) == value


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"offset": -5}, "offset", -5),
        ({"confirm": True}, "confirm", True),
        ({"off_session": "one_off"}, "off_session", "one_off"),
        ({"version": 1}, "version", 1),
        ({"description": None}, "description", None),
        ({"description": ""}, "description", None),
        ({"description": "12"}, "description", "12"),
        ({"limit": None}, "limit", None),
        ({"metadata": None}, "metadata", ""),
        ({"metadata": ""}, "metadata", ""),
        ({"metadata": {}}, "metadata", {}),
        ({"metadata": {"a": 1, "b": True, "c": None, "d": "x", "e": False}}, "metadata",
         {"a": "1", "b": "true", "c": "", "d": "x", "e": "false"}),
        ({"shipping": None}, "shipping", None),
        ({"expand": ["a"]}, "expand", ["a"]),
        ({"expand": []}, "expand", []),
        ({"items": [{"price": "p"}]}, "items", (Item(price="p"),)),
    ],
)  # fmt: skip
def test_json_gives_the_same_params(fields: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(decode_json(fields), name) == value


_INTEGER = "parameter_invalid_integer"
_EMPTY = "parameter_invalid_empty"
_UNKNOWN = "parameter_unknown"
_MISSING = "parameter_missing"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        *((b"offset=" + text, "offset", _INTEGER)
          for text in (b"%2B1", b"+1", b"1+", b"1.0", b"1e3", b"1_000", b"0x10", b"--1", b"-", b"x", b"null",
                       b"true", b"%EF%BC%91", b"%D9%A1", b"1%0A", b"9223372036854775808", b"1" * 5000)),
        *((b"confirm=" + text, "confirm", None) for text in (b"TRUE", b"1", b"0", b"yes", b"FALSE", b"on")),
        (b"offset=", "offset", _EMPTY),
        (b"confirm=", "confirm", _EMPTY),
        (b"note=", "note", _EMPTY),
        (b"capture_method=", "capture_method", _EMPTY),
        (b"capture_method=Manual", "capture_method", None),
        (b"version=3", "version", _INTEGER),
        (b"expand=a", "expand", None),
        (b"expand=", "expand", _EMPTY),
        (b"expand[]=", "expand[0]", _EMPTY),
        (b"expand[0]=a&expand[2]=b", "expand[2]", None),
        (b"expand[00]=a", "expand[00]", None),
        (b"expand[x]=a", "expand[x]", None),
        (b"expand[0][x]=a", "expand[0]", None),
        (b"metadata=x", "metadata", None),
        (b"metadata[]=x", "metadata", None),
        (b"metadata[a][b]=x", "metadata[a]", None),
        (b"counts[a]=x", "counts[a]", _INTEGER),
        (b"counts[a]=", "counts[a]", _EMPTY),
        (b"card=x", "card", None),
        (b"card[number]=12345", "card[number]", None),
        (b"card[number]=4242424242424242&card[exp_month]=13", "card[exp_month]", _INTEGER),
        (b"card[cvc]=1", "card[number]", _MISSING),
        (b"card[number]=4242424242424242&card[x]=1", "card[x]", _UNKNOWN),
        (b"description[a]=1", "description", None),
        (b"created[lt]=5", "created[lt]", _UNKNOWN),
        (b"items[0][quantity]=1", "items[0][price]", _MISSING),
        (b"items[0][price]=p&items[1][price]=", "items[1][price]", _EMPTY),
        (b"shipping[address][line1]=x", "shipping[name]", _MISSING),
        (b"colour=red", "colour", _UNKNOWN),
        (b"currency=eur", "currency", None),
        (b"description=%ff", "description", None),
        (b"description=%00", "description", None),
        (b"a[b=1", "a[b", None),
    ],
)  # fmt: skip
def test_a_refused_form_names_the_parameter(body: bytes, param: str, code: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_form(body)
    assert (caught.value.param, caught.value.code) == (param, code)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"offset": "1"}, "offset", _INTEGER),
        ({"offset": True}, "offset", _INTEGER),
        ({"offset": None}, "offset", _EMPTY),
        ({"offset": 1.0}, "offset", None),
        ({"offset": 2**63}, "offset", None),
        ({"amount": 0}, "amount", _INTEGER),
        ({"amount": 100_000_000}, "amount", _INTEGER),
        ({"currency": ""}, "currency", _EMPTY),
        ({"currency": None}, "currency", _EMPTY),
        ({"confirm": "true"}, "confirm", None),
        ({"confirm": 1}, "confirm", None),
        ({"version": True}, "version", None),
        ({"description": 5}, "description", None),
        ({"description": False}, "description", None),
        ({"description": []}, "description", None),
        ({"capture_method": 1}, "capture_method", None),
        ({"expand": {"0": "a"}}, "expand", None),
        ({"expand": "a"}, "expand", None),
        ({"expand": [1]}, "expand[0]", None),
        ({"expand": [None]}, "expand[0]", _EMPTY),
        ({"metadata": []}, "metadata", None),
        ({"metadata": {"a": {}}}, "metadata[a]", None),
        ({"metadata": {"a": ["x"]}}, "metadata[a]", None),
        ({"shipping": {"name": "n", "address": {"city": "c"}}}, "shipping[address][line1]", _MISSING),
        ({"items": [{"price": "p"}, {"price": "p", "x": 1}]}, "items[1][x]", _UNKNOWN),
    ],
)
def test_refused_json_names_the_parameter(fields: dict[str, Any], param: str, code: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_json(fields)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_form(b"amount=1", with_required=False)
    assert (caught.value.param, caught.value.code) == ("currency", _MISSING)


@pytest.mark.parametrize("amount", [b"0", b"-1", b"100000000"])
def test_an_amount_out_of_bounds_is_told_the_bounds(amount: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_form(b"currency=usd&amount=" + amount, with_required=False)
    assert (caught.value.param, caught.value.code) == ("amount", _INTEGER)
    received = f"Received '{amount.decode()}'."
    assert caught.value.message == f"{received} It must be a whole number from 1 to 99999999."


@pytest.mark.parametrize(
    "body",
    [
        b"card[number]=4242x",
        b"card[number]=4242xxxxxxxxx",
        b"card[number]=424242424242424242424242",
        b"card[number]=4242424242424242&card[cvc]=4242x",
        b"card=4242424242424242",
        b"capture_method=4242-4242-4242-4242",
        b"offset=x4242424242424242",
    ],
)
def test_no_message_holds_card_data(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_form(body)
    assert "4242" not in caught.value.message


def test_a_message_and_a_param_are_short_whatever_was_sent() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_form(b"capture_method=" + b"x" * 10_000)
    assert len(caught.value.message) < 200
    for body in (b"x" * 10_000 + b"=1", b"x" * 10_000 + b"=%", b"x" * 10_000):
        with pytest.raises(InvalidRequest) as caught:
            decode_form(body)
        assert caught.value.param == "x" * limits.param_chars_max


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Missing required params: amount, currency."),
        (b"amount=1", "Missing required param: currency."),
        (b"curency=usd&amuont=1&zzz=1",
         "Received unknown parameters: curency, amuont, zzz. Did you mean currency, amount?"),
        (b"shipping[nmae]=x", "Received unknown parameter: shipping[nmae]. Did you mean name?"),
        (b"shipping[address][city]=x", "Missing required param: shipping[address][line1]."),
        (b"zzz=1", "Received unknown parameter: zzz. Allowed here: amount, currency, "),
        (b"&".join(b"q%d=1" % number for number in range(50)),
         "Received unknown parameters: q0, q1, q2, q3, q4 and 45 more. Allowed here: "),
        (b"amount" * 100 + b"=1", "Received unknown parameter: " + "amount" * 33),
    ],
)  # fmt: skip
def test_all_wrong_names_are_listed_with_the_nearest_known_ones(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_params(Example, content_type="application/x-www-form-urlencoded", body=body, query=b"")
    assert caught.value.message.startswith(message)


def test_every_boolean_of_every_request_takes_what_old_clients_send() -> None:
    """Python SDKs before 12.0.1 send True and False."""
    found = 0
    # The parameters of a batch are read by this type, and become columns.
    read_as: dict[object, type[msgspec.Struct]] = {BatchParams: CreateBatchParams}
    params_types = {vars(route.endpoint).get("_params_type") for route in ROUTES} - {None}
    for params_type in {read_as.get(found, found) for found in params_types}:
        assert params_type is not None
        for path, accepted in _booleans(accepted_by(params_type), []):
            assert accepted.boolean
            for text in ("true", "false", "True", "False"):
                assert _read_scalar(accepted, text) is (text.lower() == "true"), path
            found += 1
    assert found > 5


def _booleans(accepted: Accepted, path: list[str]) -> Iterator[tuple[str, Accepted]]:
    if accepted.boolean:
        yield ".".join(path), accepted
    for name, field in (accepted.fields or {}).items():
        if name not in path:
            yield from _booleans(field, [*path, name])
    if accepted.elements is not None:
        yield from _booleans(accepted.elements, [*path, "[]"])
