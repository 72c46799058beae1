"""The same request, spelled in another way under the same idempotency key, is a replay."""

import hashlib
import itertools
import json
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastpay._native.headers import Headers
from fastpay.api import fingerprints
from fastpay.api.accepted_values import Accepted, accepted_by
from fastpay.api.app import ROUTES
from fastpay.api.common_params import MetadataParams
from fastpay.api.context import Call
from fastpay.api.decoding import decode_params
from fastpay.api.fingerprints import Fingerprints
from fastpay.api.resources.ledger_batches.decoding import BatchParams, CreateBatchParams
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Credentials
from fastpay.errors import InvalidRequest
from tests.support.seeds import size
from tests.unit.api.fakes import Api

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
NUMBER = "4242424242424242"
CARD = {"number": NUMBER, "exp_month": 12, "exp_year": 2030}
CARDS = (CARD, CARD | {"number": "4242 4242-42424242"}, CARD | {"exp_year": 30})
MAPS = ({"a": "1", "b": "2"}, {"b": 2, "a": 1})

WRITES = [(route.path, vars(route.endpoint)["_params_type"]) for route in ROUTES if route.method == "POST"]


@pytest.fixture(scope="module")
def api() -> Api:
    return Api()


@pytest.fixture(scope="module")
def known(api: Api) -> dict[str, str]:
    """One object of each kind, by the word that names the kind in paths."""
    customer = api.post("/v1/customers")["id"]
    paid = api.pay()
    accounts = [
        api.post("/v1/ledger/accounts", "code=own&currency=usd&normal_side=debit")["id"] for _ in "ab"
    ]
    return {
        "customer": customer,
        "customers": customer,
        "payment_intents": paid["id"],
        "payment_intent": paid["id"],
        "charge": paid["latest_charge"],
        "charges": paid["latest_charge"],
        "payment_method": "pm_card_visa",
        "payment_methods": api.post(
            "/v1/payment_methods", f"type=card&card[number]={NUMBER}&card[exp_month]=1&card[exp_year]=40"
        )["id"],
        "refunds": api.post("/v1/refunds", f"payment_intent={paid['id']}&amount=1")["id"],
        "debit_account": accounts[0],
        "credit_account": accounts[1],
        "transfers": api.furnish_ledger()["transfers"],
    }


class Sender:
    """Sends requests in turns under one key each."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._keys = 0

    def send(self, path: str, bodies: Sequence[tuple[str, bytes]]) -> list[httpx.Response]:
        """Send these bodies, with their content types, under one new key."""
        self._keys += 1
        key = f"key {self._keys}"
        return [
            self._api.send("POST", path, content=body, headers={"content-type": kind, "idempotency-key": key})
            for kind, body in bodies
        ]


@pytest.fixture(scope="module")
def sender(api: Api) -> Sender:
    return Sender(api)


def form(tree: Any, name: str = "") -> bytes:
    """Return the form of a tree."""
    return "&".join(_form(tree, name)).encode()


def _form(tree: Any, name: str) -> list[str]:
    def inner(key: object) -> str:
        return f"{name}[{key}]" if name else str(key)

    match tree:
        case dict():
            return [text for key, value in tree.items() for text in _form(value, inner(key))]
        case list():
            return [text for place, value in enumerate(tree) for text in _form(value, inner(place))]
        case None:
            text = ""
        case bool():
            text = "true" if tree else "false"
        case _:
            text = str(tree)
    return [f"{urllib.parse.quote(name)}={urllib.parse.quote(text)}"]


def both(tree: Any) -> list[tuple[str, bytes]]:
    return [(FORM, form(tree)), (JSON, json.dumps(tree).encode())]


def values(accepted: Accepted, known: Mapping[str, str], name: str) -> st.SearchStrategy[Any]:
    """Return what a parameter may plainly be given, as JSON has it."""
    kinds: list[st.SearchStrategy[Any]] = []
    if name == "currency":
        return st.sampled_from(["usd", "USD", "Usd"])
    if name in known:
        return st.just(known[name])
    if name == "payment_method_types":
        return st.just(["card"])
    if name in {"email", "receipt_email"}:
        kinds.append(st.just("a@example.com"))
    elif name in {"number", "token"}:
        kinds.append(st.sampled_from([NUMBER, "4242 4242 4242 4242"] if name == "number" else ["tok_visa"]))
    elif name == "exp_month":
        kinds.append(st.just(11))
    elif name == "exp_year":
        kinds.append(st.sampled_from([2031, 31]))
    elif accepted.text is not None:
        kinds.append(
            st.sampled_from(["ABC", "abc", "x y", "1"] if accepted.text.pattern is None else ["ABC"])
        )
    if accepted.nullable:
        kinds.append(st.none())
    if accepted.boolean:
        kinds.append(st.booleans())
    if accepted.texts:
        kinds.append(st.sampled_from(accepted.texts))
    if accepted.integer is not None and not kinds:
        low, high = max(1, accepted.integer.start), min(1000, accepted.integer.stop - 1)
        kinds.append(st.integers(low, high) if low <= high else st.just(accepted.integer.stop - 1))
    if accepted.fields is not None:
        # A form has no way to say that an object is empty.
        kinds.append(trees(accepted, known).filter(form))
    if accepted.values is not None:
        texts = st.sampled_from(["a", "currency", "expand", "é"])
        kinds.append(st.dictionaries(texts, st.sampled_from(["", "x", "USD", 1, True, None]), min_size=1))
    if accepted.elements is not None and name != "expand":
        kinds.append(st.lists(values(accepted.elements, known, ""), min_size=1, max_size=3))
    return st.one_of(kinds) if kinds else st.nothing()


def trees(accepted: Accepted, known: Mapping[str, str]) -> st.SearchStrategy[dict[str, Any]]:
    """Return params of a accepted: all that are required, and some of the others."""
    assert accepted.fields is not None
    fields = {name: values(field, known, name) for name, field in accepted.fields.items()}
    given_fields = {name: strategy for name, strategy in fields.items() if not strategy.is_empty}
    required = {name: strategy for name, strategy in given_fields.items() if name in accepted.required}
    others = {name: strategy for name, strategy in given_fields.items() if name not in accepted.required}
    some = st.lists(st.sampled_from(sorted(others)), max_size=3, unique=True) if others else st.just([])
    return some.flatmap(
        lambda names: st.fixed_dictionaries(required | {name: others[name] for name in names})
    )


@pytest.fixture
def any_tree(params_type: Any, known: dict[str, str]) -> st.SearchStrategy[dict[str, Any]]:
    """What a route may plainly be given. Made once for all examples: that takes longer than to draw one."""
    return trees(accepted_by(CreateBatchParams if params_type is BatchParams else params_type), known)


@pytest.mark.parametrize(("path", "params_type"), WRITES)
@settings(max_examples=size(12, soak=400), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_form_and_json_are_the_same_request_on_every_route(
    api: Api,
    known: dict[str, str],
    sender: Sender,
    path: str,
    any_tree: st.SearchStrategy[dict[str, Any]],
    data: st.DataObject,
) -> None:
    tree = data.draw(any_tree)
    kind = path.split("/")[3 if "test_helpers" in path or "ledger" in path else 2]
    where = path.replace("{id}", known.get(kind, ""))
    before = len(api.engine.submissions)
    answers = sender.send(where, data.draw(st.permutations(both(tree))))
    if len(api.engine.submissions) == before:
        # Refused by the parameters, or changed nothing: no key is used up by that.
        assert {answer.status_code for answer in answers} <= {400, 402, 403, 404}, answers[0].text
        return
    assert answers[1].headers.get("idempotent-replayed") == "true", (tree, answers[1].text)
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(("path", "params_type"), WRITES)
@settings(max_examples=size(12, soak=400), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_params_in_which_nothing_empty_is_found_keep_their_bytes(
    path: str, params_type: Any, any_tree: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    del path
    decoded = CreateBatchParams if params_type is BatchParams else params_type
    body = json.dumps(data.draw(any_tree)).encode()
    try:
        params = decode_params(decoded, content_type=JSON, body=body, query=b"")
    except InvalidRequest:
        return
    made = Fingerprints(decoded)
    with pytest.MonkeyPatch.context() as patch:
        quick = made.encode(params)
        patch.setattr(fingerprints, "_EMPTY", _Always)
        assert made.encode(params) == quick


class _Always:
    """Finds something empty in all params, so that they are always converted."""

    @staticmethod
    def may_find(params: object) -> bool:
        return True


def _payment(**more: Any) -> dict[str, Any]:
    return {"amount": 5, "currency": "usd", **more}


def _transfer(known: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {"amount": 5, **{side: known[side] for side in ("debit_account", "credit_account")}, **more}


def _batch(known: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {"transfers": [_transfer(known, **more)]}


Spelled = Callable[[Mapping[str, str]], list[dict[str, Any]]]
ALIKE: list[tuple[str, Spelled]] = [
    ("/v1/payment_intents", lambda known: [_payment(currency=text) for text in ("usd", "USD", "uSd")]),
    ("/v1/payment_intents", lambda known: [_payment(metadata=metadata) for metadata in MAPS]),
    (
        "/v1/payment_intents",
        lambda known: [
            _payment(),
            _payment(confirm=False),
            _payment(description=None),
            _payment(metadata=None),
            _payment(metadata={}),
            _payment(metadata={"a": ""}),
            _payment(shipping=None, expand=[]),
        ],
    ),
    (
        "/v1/payment_intents",
        lambda known: [
            _payment(expand=["customer", "latest_charge"]),
            _payment(expand=["latest_charge", "customer"]),
            _payment(expand=["customer", "latest_charge", "customer"]),
        ],
    ),
    (
        "/v1/payment_intents",
        lambda known: [_payment(payment_method_data={"type": "card", "card": card}) for card in CARDS],
    ),
    ("/v1/payment_methods", lambda known: [{"type": "card", "card": card} for card in CARDS]),
    ("/v1/customers", lambda known: [{}, {"name": None}, {"metadata": {"a": ""}}, {"email": ""}]),
    (
        "/v1/ledger/accounts",
        lambda known: [
            {"code": "c", "normal_side": "debit", "currency": "eur"},
            {"code": "c", "normal_side": "debit", "currency": "EUR", "min_balance": None, "metadata": {}},
        ],
    ),
    (
        "/v1/ledger/transfers",
        lambda known: [
            _transfer(known),
            _transfer(known, hold=False),
            _transfer(known, expires_at=None, metadata={"a": ""}),
        ],
    ),
    (
        "/v1/ledger/batches",
        lambda known: [
            _batch(known),
            _batch(known, hold=False, linked=False),
            _batch(known, expires_at=None, metadata={"a": ""}),
        ],
    ),
    ("/v1/ledger/batches", lambda known: [_batch(known, metadata=metadata) for metadata in MAPS]),
    ("/v1/ledger/batches", lambda known: [_batch(known, hold=True, expires_at=1_900_000_000)]),
]


@pytest.mark.parametrize(("path", "spelled"), ALIKE)
def test_one_request_in_many_spellings_is_carried_out_once(
    known: dict[str, str], sender: Sender, path: str, spelled: Spelled
) -> None:
    bodies = [(JSON, json.dumps(tree).encode()) for tree in spelled(known)]
    bodies += [(FORM, form(tree)) for tree in spelled(known) if {} not in tree.values()]
    for first in (bodies, bodies[::-1]):
        answers = sender.send(path, first)
        assert answers[0].status_code == 200, answers[0].text
        assert "idempotent-replayed" not in answers[0].headers
        for (_, body), answer in zip(first[1:], answers[1:], strict=True):
            assert answer.headers.get("idempotent-replayed") == "true", (body, answer.text)
            assert answer.content == answers[0].content


UNLIKE: list[tuple[str, Spelled]] = [
    ("/v1/payment_intents", lambda known: [_payment(metadata={"currency": text}) for text in ("usd", "USD")]),
    ("/v1/payment_intents", lambda known: [_payment(description=text) for text in ("usd", "USD", None)]),
    ("/v1/payment_intents", lambda known: [_payment(), _payment(expand=["customer"])]),
    ("/v1/customers", lambda known: [{}, {"address": {"city": None}}, {"address": {"city": "x"}}]),
    ("/v1/customers/{id}", lambda known: [{}, {"name": None}, {"metadata": {"a": ""}}, {"metadata": None}]),
    ("/v1/ledger/transfers", lambda known: [_transfer(known), _transfer(known, hold=True)]),
    (
        "/v1/ledger/batches",
        lambda known: [
            _batch(known),
            *(_batch(known, metadata={"a": text}) for text in "12"),
            _batch(known, hold=True),
            *(_batch(known, hold=True, expires_at=at) for at in (1_900_000_000, 1_900_000_001)),
        ],
    ),
]


@pytest.mark.parametrize(("path", "spelled"), UNLIKE)
def test_requests_that_mean_different_things_are_told_apart(
    known: dict[str, str], sender: Sender, path: str, spelled: Spelled
) -> None:
    bodies = [(JSON, json.dumps(tree).encode()) for tree in spelled(known)]
    for body in bodies:
        others = [other for other in bodies if other is not body]
        first, *more = sender.send(path.replace("{id}", known["customers"]), [body, *others])
        assert first.status_code == 200, first.text
        assert {answer.json()["error"]["type"] for answer in more} == {"idempotency_error"}


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/customers/cus_1", "/v1/customers/\udce9"])
def test_a_request_has_the_fingerprint_that_is_stored_of_it(api: Api, path: str) -> None:
    """Requests of an earlier release are told apart by it."""
    made = Fingerprints(MetadataParams)
    kinds: tuple[Literal["secret", "publishable"], ...] = ("secret", "publishable")
    for key, kind, arguments in itertools.product((b"a" * 32, b"b" * 64), kinds, ({}, {"id": "cus_1"})):
        call = Call(
            services=api.services,
            credentials=Credentials(scope=Scope("a", False), kind=kind, fingerprint_key=key),
            request_id="req_1",
            method="POST",
            path=path,
            arguments=arguments,
            headers=Headers(()),
            asgi={},
            query=b"",
            unread=[],
        )
        params = MetadataParams(metadata={"b": "1", "a": "2"})
        before = f"POST\0{kind}\0{path}\0".encode("utf-8", "surrogatepass")
        expected = hashlib.blake2b(before + made.encode(params), key=key, digest_size=32).digest()
        assert [made.make(call, params) for _ in "again"] == [expected] * 5
