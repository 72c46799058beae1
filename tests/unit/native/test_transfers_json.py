"""Batches of transfers straight to columns: what the careful reader reads, or nothing at all."""

import asyncio
import contextlib
import json
import random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native import transfers_json
from fastpay.api import decoding
from fastpay.api.card_texts import CardTexts
from fastpay.api.resources.ledger_batches import decoding as ledger_batches
from fastpay.domain.ledger_batches import HOLD, LINKED
from fastpay.engine.background import Background
from fastpay.errors import InvalidRequest
from tests.reference import transfers_json as oracle
from tests.support.world import SCOPE

A, B, C = (f"lacc_{digit * 32}" for digit in "0af")
SERVICES = SimpleNamespace(
    reading=contextlib.AsyncExitStack(),
    card_texts=CardTexts(),
    background=Background(),
)
PLAIN = {"debit_account": A, "credit_account": B, "amount": 5}
HELD = {**PLAIN, "hold": True}


def text_of(*transfers: dict[str, Any] | str, **more: object) -> bytes:
    """Return a body, of transfers that may be given as they are to be written."""
    written = [one if isinstance(one, str) else json.dumps(one) for one in transfers]
    others = "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in more.items())
    return f'{{"transfers":[{",".join(written)}]{others}}}'.encode()


def outcome(body: bytes) -> tuple[object, ...]:
    """Return what a request with this body comes to, or all that is said of a mistake."""
    call: Any = SimpleNamespace(
        headers={"content-type": "application/json"},
        query=b"",
        take_body=lambda: body,
        services=SERVICES,
        scope=SCOPE,
    )
    try:
        return (asyncio.run(ledger_batches.decode(call)),)
    except InvalidRequest as error:
        return (error.message, error.param, error.code)


def check(body: bytes) -> bool:
    """Hold the fast lane against its oracle and the careful reader; tell whether it took the body."""
    plain = transfers_json.decode(body)
    assert plain == oracle.decode(body)
    found = outcome(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfers_json, "decode", lambda body: None)
        assert outcome(body) == found
    return plain is not None


@pytest.mark.parametrize(
    "body",
    [
        text_of(PLAIN),
        text_of(PLAIN, {**PLAIN, "debit_account": B, "credit_account": C}, PLAIN),
        text_of(dict(reversed(PLAIN.items()))),
        text_of({**PLAIN, "credit_account": A}),
        text_of({**PLAIN, "linked": True, "hold": True}, {**PLAIN, "linked": False, "hold": False}),
        text_of({"expires_at": 0, **PLAIN, "hold": True}),
        text_of({**PLAIN, "hold": True, "expires_at": limits.second_max}),
        text_of({**PLAIN, "amount": limits.amount_min}, {**PLAIN, "amount": limits.amount_max}),
        text_of(PLAIN, {**PLAIN, "metadata": {"a": "b", "c": ""}}, {**PLAIN, "metadata": {}}),
        text_of({**PLAIN, "metadata": {"a": ""}}),
        text_of(json.dumps({**PLAIN, "metadata": {"é": "€ and 🙂"}}, ensure_ascii=False)),
        text_of({**PLAIN, "metadata": {"k" * 40: "v" * 500}}),
        text_of(json.dumps({**PLAIN, "metadata": {"🙂" * 40: "🙂" * 500}}, ensure_ascii=False)),
        text_of({**PLAIN, "metadata": {f"{number}": "v" for number in range(50)}}),
        text_of(PLAIN, dry_run=True),
        text_of(PLAIN, dry_run=False),
        b'{"dry_run":true,' + text_of(PLAIN)[1:],
        json.dumps({"transfers": [PLAIN, PLAIN]}, indent="\t").replace("\n", " \r\n").encode() + b"\n ",
    ],
)
def test_what_is_plain_takes_the_fast_lane(body: bytes) -> None:
    assert check(body)


def raw(name: str, value: str) -> str:
    """Return a transfer with one value written as given."""
    return json.dumps({**PLAIN, name: 0}).replace(f'"{name}": 0', f'"{name}": {value}')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"transfers":[]}',
        b'{"transfers":[{}]}',
        b'{"transfers":null}',
        b'{"dry_run":true}',
        text_of(PLAIN)[:-1],
        text_of(PLAIN) + b"x",
        text_of(PLAIN) + b"\0",
        b"\xef\xbb\xbf" + text_of(PLAIN),
        text_of(PLAIN)[:-1] + b",}",
        text_of(PLAIN).replace(b"]", b",]"),
        text_of(PLAIN)[:-1] + b',"transfers":[]}',
        text_of(PLAIN)[:-1] + text_of(PLAIN).replace(b"{", b",", 1),
        b'{"dry_run":true,' + text_of(PLAIN, dry_run=True)[1:],
        text_of(PLAIN, dry_run=1),
        text_of(PLAIN, dry_run="true"),
        text_of(PLAIN, dry_run=None),
        text_of(PLAIN, expand=[]),
        text_of(PLAIN, expand=["a"]),
        text_of(PLAIN, colour=1),
        *(text_of(raw("amount", number)) for number in ("0", "-1", "05", "5.0", "5e0", "0x5", "", "5 5")),
        *(text_of(raw("amount", "9" * size)) for size in (18, 19, 400)),
        *(text_of(raw("amount", value)) for value in ('"5"', "true", "null", "[5]", "{}")),
        *(text_of(raw("amount", number)) for number in ("+5", "NaN", f"{limits.amount_max + 1}")),
        *(text_of(raw("linked", flag)) for flag in ("1", '"true"', "null", "True", "tru", "truefalse", '""')),
        *(text_of(raw("hold", flag)) for flag in ("0", '"false"', "null", "fals")),
        *(text_of({**PLAIN, "credit_account": one}) for one in (None, 5, "", "lacc_", f"{A}0", A[:-1])),
        *(text_of({**PLAIN, "debit_account": one}) for one in (A.upper(), A[:-1] + "g", "cus_0" + A[5:])),
        text_of(json.dumps({**PLAIN, "debit_account": A[:-2] + "é"}, ensure_ascii=False)),
        *(text_of({**HELD, "expires_at": at}) for at in (-1, limits.second_max + 1, None, "5", "", True)),
        text_of({**PLAIN, "expires_at": 5}),
        text_of({**PLAIN, "hold": False, "expires_at": 5}),
        *(text_of(raw("metadata", f'{{"a":{value}}}')) for value in ("1", "true", "null", "[]", "{}")),
        text_of({**PLAIN, "metadata": {"a": "v" * 501}}),
        *(text_of({**PLAIN, "metadata": {key: "v"}}) for key in ("", "k" * 41, "a[", "]", "a\n", 'a"')),
        *(text_of(raw("metadata", value)) for value in ("null", '""', '"a"', "[]", "1")),
        text_of({**PLAIN, "metadata": {f"{number}": "" for number in range(51)}}),
        text_of(raw("metadata", '{"a":"b","a":"b"}')),
        text_of(raw("metadata", '{"a":"","a":"b"}')),
        text_of(raw("metadata", '{"a":"b",}')),
        text_of(raw("metadata", '{"a":"\t"}')),
        text_of(raw("metadata", '{"a":"\\ud800"}')),
        text_of(PLAIN).replace(b"amount", b"\xff"),
        text_of(raw("metadata", '{"a":"?"}')).replace(b"?", b"\xff"),
        text_of(raw("metadata", '{"a":"?"}')).replace(b"?", b"\xed\xa0\x80"),
        text_of(raw("metadata", '{"?":"a"}')).replace(b"?", b"\xc0\x80"),
        text_of({**PLAIN, "tip": 1}),
        text_of({name: PLAIN[name] for name in ("debit_account", "credit_account")}),
        text_of({name: PLAIN[name] for name in ("debit_account", "amount")}),
        text_of({name: PLAIN[name] for name in ("credit_account", "amount")}),
        text_of(json.dumps(PLAIN)[:-1] + ', "amount": 5}'),
        text_of(json.dumps(PLAIN)[:-1] + f', "debit_account": "{A}"}}'),
        text_of("null"),
        text_of("[]"),
        text_of("1"),
    ],
)  # fmt: skip
def test_everything_else_is_left_to_the_careful_reader(body: bytes) -> None:
    assert not check(body)


def test_escapes_are_right_and_left_to_the_careful_reader() -> None:
    body = text_of(PLAIN).replace(b'"amount"', b'"\\u0061mount"')
    assert not check(body)
    assert outcome(body) == outcome(text_of(PLAIN))


def test_as_many_as_a_batch_takes_are_read_and_no_more() -> None:
    most = limits.ledger_batch_transfers_max
    names = [f"lacc_{number:032x}" for number in range(2 * most)]
    pairs = zip(names[::2], names[1::2], strict=True)
    transfers = [{**PLAIN, "debit_account": debit, "credit_account": credit} for debit, credit in pairs]
    plain = transfers_json.decode(text_of(*transfers))
    assert plain is not None
    assert plain[0][0] == names
    assert plain[0][1:3] == (list(range(0, 2 * most, 2)), list(range(1, 2 * most, 2)))
    assert transfers_json.decode(text_of(*transfers, PLAIN)) is None


def test_identifiers_that_get_in_each_others_way_change_nothing() -> None:
    """Every account is one of a few that end, or begin, alike; all of them are told apart."""
    chance = random.Random(1)
    names = [f"lacc_{chance.randrange(40):016x}{chance.randrange(40):016x}" for _ in range(4_000)]
    pairs = zip(names[::2], names[1::2], strict=True)
    assert check(
        text_of(*({**PLAIN, "debit_account": debit, "credit_account": credit} for debit, credit in pairs))
    )


def test_the_flags_are_those_of_the_domain() -> None:
    plain = transfers_json.decode(text_of({**PLAIN, "linked": True}, {**PLAIN, "hold": True}, PLAIN))
    assert plain is not None
    assert plain[0][4] == [LINKED, HOLD, 0]


def test_a_body_cut_anywhere_is_left_to_the_careful_reader() -> None:
    whole = text_of({**PLAIN, "hold": True, "expires_at": 5, "metadata": {"a": "b"}}, PLAIN, dry_run=True)
    assert check(whole)
    for end in range(len(whole)):
        assert not check(whole[:end])


_VALUES = st.one_of(
    st.sampled_from([A, B, C, True, False, None, 1, 0, -1, 5, 2**63, 2**64, 1.5, "", "x"]),
    st.dictionaries(st.sampled_from(["a", "b", "é"]), st.sampled_from(["", "c", "€", 1, None]), max_size=3),
)
_ODD = st.fixed_dictionaries({}, optional=dict.fromkeys((*sorted(oracle.KNOWN), "odd"), _VALUES))
_GOOD = st.fixed_dictionaries(
    {"debit_account": st.sampled_from([A, B, C]), "credit_account": st.sampled_from([A, B, C])}
    | {"amount": st.integers(1, limits.amount_max)},
    optional={"hold": st.just(True), "expires_at": st.integers(0, 9), "linked": st.booleans()}
    | {"metadata": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)},
)  # fmt: skip


@given(
    st.lists(st.one_of(_GOOD, _ODD), max_size=4),
    st.fixed_dictionaries({}, optional={"dry_run": st.sampled_from([True, False, None, 1])}),
    st.booleans(),
    st.sampled_from([None, 1, "\t"]),
    st.randoms(use_true_random=False),
)
@example([PLAIN], {}, True, None, random.Random(1))
def test_any_batch_comes_to_the_same_in_both_ways(
    transfers: list[dict[str, Any]],
    more: dict[str, Any],
    ascii_only: bool,
    indent: Any,
    chance: random.Random,
) -> None:
    shuffled = [dict(chance.sample(sorted(one.items()), len(one))) for one in transfers]
    check(json.dumps({"transfers": shuffled, **more}, ensure_ascii=ascii_only, indent=indent).encode())


@given(st.lists(_GOOD, min_size=1, max_size=3), st.data())
def test_any_byte_may_be_another(transfers: list[dict[str, Any]], data: st.DataObject) -> None:
    body = bytearray(json.dumps({"transfers": transfers}, ensure_ascii=False).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.one_of(
                st.binary(max_size=2),
                st.sampled_from([b'"', b"{", b"}", b"[", b"]", b":", b",", b"\\", b"0"]),
            )
        )
        if not body:
            return
    check(bytes(body))


def long_body(faults: dict[int, Any], count: int = 2_000, **more: Any) -> bytes:
    """Return a body that is read in pieces, with these transfers changed."""
    transfers = [{**PLAIN, "amount": 1 + place, **faults.get(place, {})} for place in range(count)]
    transfers[7]["metadata"] = {"escaped": "\u00e9"}
    body = text_of(*transfers, **more)
    assert len(body) > limits.short_body_bytes
    return body


@pytest.mark.parametrize("place", [0, 511, 512, 1_023, 1_024, 1_999])
@pytest.mark.parametrize(
    "fault",
    [
        {"amount": -1},
        {"amount": 2**70},
        {"amount": "5"},
        {"debit_account": "lacc_1"},
        {"colour": "red"},
        {"expires_at": 5},
        {"metadata": {"a": 1.5}},
        {"metadata": {"a\u0000": "b"}},
        {"metadata": {"k" * 41: "b"}},
    ],
)
def test_a_fault_is_named_as_it_is_where_the_batch_is_read_in_one(place: int, fault: dict[str, Any]) -> None:
    body = long_body({place: fault})
    found = outcome(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "short_body_bytes", len(body))
        # One reader of all of it.
        whole = outcome(body)
    assert found == whole
    if "\0" not in str(fault):
        assert f"transfers[{place}]" in str(found[1])


@pytest.mark.parametrize(
    "more",
    [{}, {"dry_run": True}, {"expand": ["a"]}, {"expand": "no list"}, {"unknown": 1}, {"dry_run": 5}],
)
def test_pieces_come_to_what_the_whole_comes_to(more: dict[str, Any]) -> None:
    others = {600: {"credit_account": C}, 1_500: {"hold": True, "expires_at": 5, "metadata": {"a": "\u00e9"}}}
    body = long_body(others, **more)
    found = outcome(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "short_body_bytes", len(body))
        assert outcome(body) == found


async def turns_beside(body: bytes) -> tuple[int, object]:
    """Return how often another task had its turn while a body was read, and what came of that."""
    call: Any = SimpleNamespace(
        headers={"content-type": "application/json"},
        query=b"",
        take_body=lambda: body,
        services=SERVICES,
        scope=SCOPE,
    )
    reading = asyncio.create_task(ledger_batches.decode(call))
    turns = 0
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    return turns, reading.exception() or reading.result()


def test_others_have_the_loop_while_a_long_batch_is_read() -> None:
    most = limits.ledger_batch_transfers_max
    turns, read = asyncio.run(turns_beside(long_body({}, most)))
    assert isinstance(read, ledger_batches.BatchParams)
    assert len(read.items.amounts) == most
    assert turns >= most // limits.transfers_at_once_max


def test_nothing_is_read_behind_the_piece_with_the_first_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    careful = decoding.decode_params

    def counted(*arguments: Any, **options: Any) -> Any:
        read.append(options["body"].count(b"debit_account"))
        return careful(*arguments, **options)

    monkeypatch.setattr(ledger_batches, "decode_params", counted)
    every = {place: {"amount": -1} for place in range(600, limits.ledger_batch_transfers_max)}
    turns, error = asyncio.run(turns_beside(long_body(every, limits.ledger_batch_transfers_max)))
    assert isinstance(error, InvalidRequest)
    assert error.param == "transfers[600][amount]"
    assert read == [limits.transfers_at_once_max] * 2
    # A turn for each piece up to the fault, of the sixty-four that there are.
    assert turns <= 3 + 600 // limits.transfers_at_once_max


@pytest.mark.parametrize(
    "body",
    [
        b'{"transfers":[' + b"[]," * 350_000 + b"[]]}",
        b'{"transfers":[' + b"{}," * 350_000 + b"{}]}",
        b'{"a":[' + b"[]," * 350_000 + b"[]]}",
        b'{"transfers":[{"metadata":{' + b'"a":1,' * 350_000 + b'"a":1}}]}',
        b'{"transfers":[' + b"[]," * 350_000,
        b'{"\\u0074ransfers":[' + b"[]," * 350_000 + b"[]]}",
    ],
    ids=["arrays", "objects", "elsewhere", "metadata", "open", "escaped"],
)
def test_a_hostile_batch_makes_no_trees(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(decoding, "_read_fields", lambda *arguments: made.append(arguments))
    monkeypatch.setattr(ledger_batches, "_items", made.append)
    turns, error = asyncio.run(turns_beside(body))
    assert isinstance(error, InvalidRequest)
    assert (made, turns <= 2) == ([], True)
