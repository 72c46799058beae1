"""Answers in fewer bytes: who gets which, what is never encoded, and what an answer says of it."""

import zlib

import brotli
import pytest
from backports import zstd
from hypothesis import example, given
from hypothesis import strategies as st

from fastpay import limits
from fastpay.api.context import Reply
from fastpay.api.encodings import CODINGS, Choice, choose, encoded
from tests.unit.api.fakes import PUBLISHABLE, Api

DECODERS = {
    "zstd": zstd.decompress,
    "br": brotli.decompress,
    "gzip": lambda body: zlib.decompress(body, 16 + zlib.MAX_WBITS),
}
BODY = b'{"object":"list","data":[' + b'{"id":"ch_1","object":"charge"},' * 100 + b"]}"
SMALL = b'{"status":"ok"}'
NONE = Choice(None)


@pytest.mark.parametrize(
    ("accepted", "choice"),
    [
        ("", NONE),
        ("identity", NONE),
        ("gzip", Choice("gzip")),
        ("GZip", Choice("gzip")),
        ("x-gzip", Choice("gzip")),
        ("gzip, deflate", Choice("gzip")),
        ("gzip, deflate, br", Choice("br")),
        ("gzip, deflate, br, zstd", Choice("zstd")),
        ("zstd;q=0.5, gzip", Choice("gzip")),
        ("gzip;q=0.001", Choice("gzip")),
        ("gzip;q=0", NONE),
        ("gzip;q=0.000", NONE),
        ("deflate, compress", NONE),
        ("*", Choice("zstd")),
        ("*;q=0.1, gzip", Choice("gzip")),
        ("zstd;q=0, *", Choice("br")),
        ("*, zstd;q=0, br;q=0, gzip;q=0", NONE),
        ("identity, gzip", Choice("gzip")),
        ("identity;q=1, gzip;q=0.5", NONE),
        ("identity;q=0.5, gzip;q=0.9", Choice("gzip")),
        ("identity;q=0", Choice(None, is_must=True)),
        ("identity;q=0, gzip;q=0.2", Choice("gzip", is_must=True)),
        ("gzip, *;q=0", Choice("gzip", is_must=True)),
        ("*;q=0", Choice(None, is_must=True)),
        ("*;q=0, identity, gzip", Choice("gzip")),
        (" gzip ;\tQ=1.000 , ,", Choice("gzip")),
        (",,", NONE),
        # What makes no sense says nothing.
        ("gzip;q=2", NONE),
        ("gzip;q=", NONE),
        ("gzip;q=0.1234", NONE),
        ("gzip;q=-1", NONE),
        ("gzip;level=9", NONE),
        ("gzip br", NONE),
        ("gzip, br;", NONE),
        ("gz\xefp, gzip", NONE),
        ("gzip," * limits.accept_encoding_chars_max, NONE),
    ],
)
def test_a_client_gets_what_it_likes_best(accepted: str, choice: Choice) -> None:
    assert choose(accepted) == choice


_WEIGHTS = st.one_of(st.just(""), st.integers(0, 1000).map(lambda weight: f";q={weight / 1000:.3f}"))
_NAMES = st.sampled_from(("gzip", "br", "zstd", "identity", "*", "deflate"))


@given(st.dictionaries(_NAMES, _WEIGHTS, max_size=6))
def test_no_client_gets_what_it_refuses_or_likes_less(asked: dict[str, str]) -> None:
    weights = {name: float(weight[3:] or 1) if weight else 1.0 for name, weight in asked.items()}

    def liked(coding: str) -> float:
        return weights.get(coding, weights.get("*", 0.0))

    choice = choose(", ".join(name + weight for name, weight in asked.items()))
    best = max(liked(coding) for coding in CODINGS)
    if choice.coding is None:
        assert best == 0 or weights.get("identity", 0) > best
    else:
        assert liked(choice.coding) == best > 0
        assert weights.get("identity", 0) <= best


@given(st.text(max_size=40))
@example("\n")
def test_any_text_is_a_choice(accepted: str) -> None:
    assert choose(accepted).coding in {*CODINGS, None}


@pytest.mark.parametrize("coding", CODINGS)
def test_an_encoded_answer_is_the_same_answer(coding: str) -> None:
    reply = encoded(Reply(body=BODY, headers=((b"etag", b'"1"'),)), coding)
    assert DECODERS[coding](reply.body) == BODY
    assert len(reply.body) < len(BODY) / 5
    assert dict(reply.headers) == {
        b"etag": b'W/"1"',
        b"vary": b"accept-encoding",
        b"content-encoding": coding.encode(),
    }


def test_a_weak_tag_stays_as_it_is() -> None:
    reply = encoded(Reply(body=BODY, headers=((b"etag", b'W/"1"'),)), "gzip")
    assert dict(reply.headers)[b"etag"] == b'W/"1"'


def test_what_nobody_asked_for_is_not_done() -> None:
    reply = encoded(Reply(body=BODY, headers=((b"etag", b'"1"'),)), None)
    assert reply.body is BODY
    assert reply.headers == ((b"etag", b'"1"'), (b"vary", b"accept-encoding"))


def test_a_short_answer_is_encoded_only_for_who_refuses_it_as_it_is() -> None:
    assert encoded(Reply(body=SMALL), "gzip").body is SMALL
    assert DECODERS["gzip"](encoded(Reply(body=SMALL), "gzip, identity;q=0").body) == SMALL
    at_least = b" " * limits.encoded_bytes_min
    assert encoded(Reply(body=at_least[1:]), "gzip").body is not at_least
    assert encoded(Reply(body=at_least[1:]), "gzip").body == at_least[1:]
    assert encoded(Reply(body=at_least), "gzip").body != at_least


def test_what_takes_too_long_to_encode_is_not() -> None:
    large = b" " * (limits.encoded_bytes_max + 1)
    assert encoded(Reply(body=large), "gzip").body is large
    assert encoded(Reply(body=large[1:]), "gzip").body != large[1:]


def test_nothing_is_said_of_nothing() -> None:
    reply = Reply(status=304, body=b"")
    assert encoded(reply, "gzip, identity;q=0") is reply


@pytest.mark.parametrize("secret", [b'"client_secret":"pi_1_secret_x"', b'"secret":"whsec_x"'])
@pytest.mark.parametrize("accepted", ["gzip", "zstd, identity;q=0", "*"])
def test_what_holds_a_secret_is_never_encoded(secret: bytes, accepted: str) -> None:
    reply = Reply(body=BODY + secret)
    assert encoded(reply, accepted) is reply


@pytest.fixture
def api() -> Api:
    """A shop that has done something."""
    made = Api()
    customer = made.post("/v1/customers", "name=Ada&metadata[a]=" + "b" * 400)["id"]
    for _ in range(3):
        made.pay(f"customer={customer}")
    return made


@pytest.mark.parametrize(
    "path",
    [
        "/v1/payment_intents",
        "/v1/payment_intents?limit=1",
        "/v1/payment_intents/search?query=created>0",
        "/v1/charges?expand[]=data.payment_intent",
        "/v1/charges/search?query=created>0&expand[]=data.payment_intent",
    ],
)
def test_no_answer_with_a_client_secret_in_it_is_encoded(api: Api, path: str) -> None:
    answer = api.send("GET", path, headers={"accept-encoding": "gzip, br, zstd, identity;q=0"})
    assert answer.status_code == 200
    assert '"client_secret":"' in answer.text
    assert "content-encoding" not in answer.headers
    assert "vary" not in answer.headers


def test_a_payment_is_shown_to_nobody_encoded(api: Api) -> None:
    accept = {"accept-encoding": "gzip, identity;q=0"}
    form = "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true&metadata[a]=" + "b" * 400
    paid = api.send("POST", "/v1/payment_intents", form, headers=accept)
    path = f"/v1/payment_intents/{paid.json()['id']}"
    secret = paid.json()["client_secret"]
    shown = api.send("GET", f"{path}?client_secret={secret}", key=PUBLISHABLE, headers=accept)
    declined = api.send("POST", "/v1/payment_intents", form.replace("visa", "chargeDeclined"), headers=accept)
    assert declined.json()["error"]["payment_intent"]["client_secret"]
    for answer in (paid, shown, declined, api.send("GET", path, headers=accept)):
        assert "client_secret" in answer.text
        assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("path", ["/v1/charges", "/v1/charges/search?query=amount>0"])
def test_a_list_that_holds_no_secret_is_encoded(api: Api, path: str, coding: str) -> None:
    plain = api.send("GET", path, headers={"accept-encoding": "identity"})
    answer = api.send("GET", path, headers={"accept-encoding": coding})
    assert answer.headers["content-encoding"] == coding
    assert int(answer.headers["content-length"]) < int(plain.headers["content-length"])
    assert "content-encoding" not in plain.headers
    assert answer.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    # Some clients decode some codings by themselves.
    body = answer.content if answer.content == plain.content else DECODERS[coding](answer.content)
    assert body == plain.content
