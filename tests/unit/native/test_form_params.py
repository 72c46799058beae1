"""Forms straight to structs: the params of the careful reader, or nothing at all."""

import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native.form_params import FormDecoder
from fastpay.api import decoding
from fastpay.api.accepted_values import Accepted, accepted_by
from fastpay.api.app import ROUTES
from fastpay.api.common_params import Params
from fastpay.api.decoding import decode_query
from fastpay.api.form_decoders import decoder_of
from fastpay.api.resources.customers import CustomerListParams
from fastpay.api.resources.ledger_batches.decoding import BatchParams, CreateBatchParams
from fastpay.api.resources.payment_intents.params import CreateParams
from fastpay.errors import InvalidRequest
from tests.reference import form_params as oracle
from tests.unit.api.example_params import Example

_KNOWN = {vars(route.endpoint).get("_params_type") for route in ROUTES}
# What a batch comes to is made of what requests for one say.
_KNOWN ^= {BatchParams, CreateBatchParams}
PARAMS: list[type[msgspec.Struct]] = [
    Example,
    *sorted((kind for kind in _KNOWN if kind is not None and issubclass(kind, Params)), key=str),
]


def outcome(params_type: type[Any], body: bytes) -> tuple[object, ...]:
    """Return the params, or what is said of a mistake."""
    try:
        return (decode_query(params_type, body),)
    except InvalidRequest as error:
        return (error.message, error.param, error.code)


def careful_outcome(params_type: type[Any], body: bytes) -> tuple[object, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "decode_plainly", oracle.decode_plainly)
        return outcome(params_type, body)


def decode(params_type: type[Any], body: bytes) -> Any:
    decoder = decoder_of(params_type)
    assert decoder is not None
    return decoder.decode(body)


PAYMENT = b"amount=2000&currency=usd&"
PLAIN: list[tuple[type[Any], bytes]] = [
    (CreateParams, PAYMENT),
    (CreateParams, b"&&" + PAYMENT + b"&confirm=true&payment_method=pm_card_visa"),
    (CreateParams, PAYMENT + b"description=Order+12&metadata%5Border%5D=12&metadata[%C3%A9]=%E2%82%AC"),
    (CreateParams, PAYMENT + b"description=\xc3\xa9&metadata[a]=&metadata[b+c]=d%26e"),
    (CreateParams, PAYMENT + b"description=&receipt_email=&metadata=&shipping="),
    (CreateParams, PAYMENT + b"receipt_email=a%40example.com&statement_descriptor=SHOP"),
    (CreateParams, PAYMENT + b"automatic_payment_methods[enabled]=true&off_session=one_off"),
    (CreateParams, PAYMENT + b"expand[]=latest_charge&expand[]=customer&off_session=true"),
    (CreateParams, PAYMENT + b"expand[0]=latest_charge&expand[1]=customer"),
    (CreateParams, PAYMENT + b"shipping[name]=N&shipping[address][line1]=L&shipping[address][city]="),
    (
        CreateParams,
        PAYMENT + b"payment_method_data[type]=card&payment_method_data[card][number]=4242424242424242"
        b"&payment_method_data[card][exp_month]=08&payment_method_data[card][exp_year]=2034"
        b"&payment_method_data[metadata][a]=b&payment_method_data[billing_details][address][city]=B",
    ),
    (CustomerListParams, b""),
    (CustomerListParams, b"limit=3&created[gte]=5&created[lt]=-9&email=a@example.com"),
    (CustomerListParams, b"created=5"),
    (Example, PAYMENT + b"offset=-5&note=n&confirm=false&limit="),
]


@pytest.mark.parametrize(("params_type", "body"), PLAIN)
def test_what_is_plain_is_taken_as_the_careful_reader_takes_it(params_type: type[Any], body: bytes) -> None:
    params = decode(params_type, body)
    assert params is not None
    assert (params,) == careful_outcome(params_type, body)
    assert msgspec.convert(msgspec.to_builtins(params), params_type) == params


DOUBTS = [
    b"",
    b"amount=2000",
    b"amount=2000&currency=usd&amount=1",
    b"amount=2000&currency=usd&x=1",
    b"amount=2000&currency=usd&=1",
    b"amount=2000&currency=usd&confirm",
    b"amount=2000&currency=%00",
    b"amount=2000&currency=\0",
    b"amount=2000&currency=%f",
    b"amount=2000&currency=%",
    b"amount=2000&currency=%gg",
    b"amount=2000&currency=%ff",
    b"amount=2000&currency=",
    b"amount=+1&currency=usd",
    b"amount=1.0&currency=usd",
    b"amount=9999999999999999999&currency=usd",
    b"amount=1&currency=" + b"x" * (limits.text_chars_max + 1),
    *(
        PAYMENT + body
        for body in (
            b"confirm=True",
            b"capture_method=x",
            b"off_session=x",
            b"receipt_email=x",
            b"metadata=x",
            b"metadata[]=x",
            b"metadata[a][b]=x",
            b"metadata[a]=x&metadata[a]=y",
            b"metadata[a=x",
            b"metadata[a]b=x",
            b"metadata[[a]]=x",
            b"metadata]=x",
            b"metadata=&metadata[a]=x",
            b"metadata[a]=x&metadata=",
            b"metadata[%ff]=x",
            b"metadata[" + b"k" * (limits.metadata_key_chars_max + 1) + b"]=x",
            b"metadata[a]=" + b"x" * (limits.metadata_value_chars_max + 1),
            b"&".join(b"metadata[%d]=x" % number for number in range(limits.metadata_keys_max + 1)),
            b"expand=x",
            b"expand[]=",
            b"expand[1]=x",
            b"expand[00]=x",
            b"expand[x]=x",
            b"expand[0]=x&expand[]=y",
            b"expand[]=x&expand[1]=y",
            b"expand[0]=x&expand[0]=y",
            b"expand[0][x]=y",
            b"&".join(b"expand[]=%d" % number for number in range(limits.expand_paths_max + 1)),
            b"shipping[address][line1]=x",
            b"shipping[name]=x",
            b"shipping=&shipping[name]=x",
            b"shipping[name]=x&shipping=",
            b"shipping[]=x",
            b"shipping[x]=x",
            b"shipping[address]=x&shipping[name]=x",
            b"description[a]=x",
            b"description=x&description[a]=x",
        )
    ),
]


@pytest.mark.parametrize("body", DOUBTS)
def test_what_is_in_doubt_is_left_alone_and_nothing_of_it_is_kept(body: bytes) -> None:
    assert decode(CreateParams, body) is None
    before = sys.getallocatedblocks()
    for _ in range(300):
        decode(CreateParams, body)
    assert sys.getallocatedblocks() - before < 100


@pytest.mark.parametrize(("params_type", "body"), PLAIN)
def test_nothing_is_kept_of_params_that_are_gone(params_type: type[Any], body: bytes) -> None:
    decode(params_type, body)
    before = sys.getallocatedblocks()
    for _ in range(300):
        decode(params_type, body)
    assert sys.getallocatedblocks() - before < 100


def test_a_form_larger_than_usual_is_left_alone() -> None:
    body = PAYMENT + b"&".join(b"metadata[%d]=%s" % (number, b"x" * 400) for number in range(20))
    assert decode(CreateParams, body) is None
    assert outcome(CreateParams, body) == careful_outcome(CreateParams, body)
    assert len(outcome(CreateParams, body)) == 1


def test_there_is_room_for_so_many_fields_and_not_for_one_more() -> None:
    decoder = FormDecoder(Example)
    for number in range(64):
        decoder.add(f"field_{number}", required=True)
    with pytest.raises(TypeError, match="at most 64 fields"):
        decoder.add("more", required=False)


_PLAIN_VALUES = b" 1 08 -1 1.5 true usd null card manual always one_off 4242424242424242 a+b a%40b.c"
_ODD_VALUES = b"%C3%A9 \xc3\xa9 %ff %0 " + b"x" * 600
_VALUES = st.sampled_from((_PLAIN_VALUES + b" " + _ODD_VALUES).split(b" "))


def _names(accepted: Accepted, depth: int = 3) -> list[bytes]:
    """Return how the parameters of a accepted can be spelled, some of them wrongly."""
    assert accepted.fields is not None
    names = [b"x", b"x[y]"]
    for name, field in accepted.fields.items():
        spelled = name.encode()
        names.append(spelled)
        if field.values is not None:
            names += [spelled + b"[a]", spelled + b"%5Bb%5D", spelled + b"[]"]
        if field.elements is not None:
            names += [spelled + b"[]", spelled + b"[0]", spelled + b"[1]"]
        if field.fields is not None and depth:
            for inner in _names(field, depth - 1):
                first, bracket, rest = inner.partition(b"[")
                names.append(spelled + b"[" + first + b"]" + bracket + rest)
    return names


@st.composite
def _forms(draw: st.DrawFn) -> tuple[type[Any], bytes]:
    params_type = draw(st.sampled_from(PARAMS))
    accepted = accepted_by(params_type)
    names = [*draw(st.permutations(_names(accepted)))[: draw(st.integers(0, 5))]]
    fields = [name + b"=" + draw(_VALUES) for name in names]
    if draw(st.booleans()):
        fields += [
            name.encode() + b"=" + draw(st.sampled_from([b"2000", b"usd"])) for name in accepted.required
        ]
    return params_type, b"&".join(fields)


@given(_forms())
def test_any_form_of_any_params_type_has_one_outcome(form: tuple[type[Any], bytes]) -> None:
    params_type, body = form
    assert outcome(params_type, body) == careful_outcome(params_type, body)


@given(st.binary(max_size=60))
def test_any_bytes_have_one_outcome(body: bytes) -> None:
    assert outcome(CreateParams, PAYMENT + body) == careful_outcome(CreateParams, PAYMENT + body)
