"""Signatures: what is accepted, that nothing else is, and agreement with the oracle and others' vectors."""

import base64
import json
import pickle
from collections.abc import Iterator

import pytest
import stripe
from hypothesis import example, given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native import signature
from fastpay._native.signature import Signer
from tests.reference import signature as oracle
from tests.support.public_data import folder

NOW = 1_790_000_000
SECRET = b"fpss_a secret of a test"
OLD = b"fpss_the one before"
BODY = b"amount=2000&currency=usd"
TARGET = b"/v1/payment_intents?expand%5B%5D=customer"
SIGNERS = (Signer(SECRET),)


@pytest.fixture(params=[True, False], ids=["openssl", "hashlib"])
def hashing(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Both ways to hash. Where OpenSSL's functions cannot be found there is one way, and a skip says so."""
    if signature.choose_hashing(request.param) != request.param:
        pytest.skip("this Python's OpenSSL does not export its SHA-256 functions")
    yield request.param
    signature.choose_hashing(True)


def signed(*secrets: bytes, method: str = "POST", at: int = NOW) -> bytes:
    message = oracle.request_message(at, method, TARGET, BODY)
    return oracle.header(secrets or (SECRET,), message, at).encode()


def check(
    header: bytes,
    *,
    method: str = "POST",
    target: bytes = TARGET,
    body: bytes = BODY,
    now_s: int = NOW,
    signers: tuple[Signer, ...] = SIGNERS,
    key: bytes = b"",
    covers_key: bool = False,
) -> bool:
    found = signature.verify_request(signers, header, method, target, body, now_s, key, covers_key)
    return found is not None


KEY = b"order-1.2"
SECOND = oracle.signed((SECRET,), "POST", TARGET, BODY, NOW, KEY).encode()
GOOD = signed()
V1 = GOOD.partition(b",")[2]
WRONG = b"v1=" + b"0" * 64


def test_a_signed_request_is_accepted_and_its_time_returned(hashing: bool) -> None:
    assert signature.verify_request(SIGNERS, GOOD, "POST", TARGET, BODY, NOW + 7) == NOW


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", TARGET, b""),
        ("DELETE", b"/", b""),
        ("POST", b"/v1/x?", b"{}"),
        ("POST", b"/", b"\0" * 100_000),
    ],
)
def test_methods_targets_and_bodies_of_all_sizes(
    hashing: bool, method: str, target: bytes, body: bytes
) -> None:
    header = oracle.signed((SECRET,), method, target, body, NOW)
    first = oracle.signed_first((SECRET,), method, target, body, NOW)
    for one in (header, first):
        assert check(one.encode(), method=method, target=target, body=body)


def test_an_empty_body_has_the_digest_of_nothing() -> None:
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    expected = oracle.digest(SECRET, f"{NOW}.GET./v1/balance..{nothing}".encode()).hex()
    header = f"t={NOW},v2={expected}".encode()
    assert check(header, method="GET", target=b"/v1/balance", body=b"")


def test_every_bit_of_header_method_target_and_body_counts(hashing: bool) -> None:
    for name, value in (("header", GOOD), ("target", TARGET), ("body", BODY), ("method", b"POST")):
        for place in range(8 * len(value)):
            changed = bytearray(value)
            changed[place // 8] ^= 1 << place % 8
            text = bytes(changed)
            match name:
                case "header":
                    accepted = check(text)
                case "target":
                    accepted = check(GOOD, target=text)
                case "body":
                    accepted = check(GOOD, body=text)
                case _:
                    accepted = check(GOOD, method=text.decode("latin-1"))
            assert not accepted, (name, place)


def test_every_bit_of_the_secret_counts(hashing: bool) -> None:
    for place in range(8 * len(SECRET)):
        changed = bytearray(SECRET)
        changed[place // 8] ^= 1 << place % 8
        assert not check(GOOD, signers=(Signer(bytes(changed)),)), place


@pytest.mark.parametrize(
    ("now_s", "accepted"),
    [(NOW, True), (NOW + 300, True), (NOW - 300, True), (NOW + 301, False), (NOW - 301, False), (0, False)],
)
def test_the_tolerance_is_300_seconds_either_way(now_s: int, accepted: bool) -> None:
    assert check(GOOD, now_s=now_s) is accepted


def test_one_that_matches_among_several_is_enough(hashing: bool) -> None:
    assert check(b"t=%d,%s,%s" % (NOW, WRONG, V1))
    assert check(b"t=%d,%s,%s" % (NOW, V1, WRONG))
    assert check(b"%s,t=%d" % (V1, NOW))
    both = (Signer(OLD), Signer(SECRET))
    for signers in (both, both[::-1]):
        assert check(signed(OLD), signers=signers)
        assert check(signed(SECRET), signers=signers)
        assert check(signed(SECRET, OLD), signers=signers)
    assert not check(b"t=%d,%s,%s" % (NOW, WRONG, WRONG), signers=both)
    assert not check(GOOD, signers=())


def test_unknown_schemes_are_ignored_and_never_enough() -> None:
    assert check(GOOD + b",v0=abc,v3=%s,t1=5,T=x" % V1[3:])
    assert check(b"v10=x," + GOOD)
    for name in (b"v0", b"v2", b"v3", b"v11", b"V1", b"v", b"1", b"v-1"):
        assert not check(b"t=%d,%s=%s" % (NOW, name, V1[3:])), name


MALFORMED = [
    b"",
    b",",
    b"=",
    b"t",
    b"t=",
    b"v1=",
    b"t=%d" % NOW,
    V1,
    b"t=,%s" % V1,
    b"t=%d,v1=" % NOW,
    GOOD + b",",
    b"," + GOOD,
    GOOD.replace(b",", b",,"),
    GOOD.replace(b",", b", "),
    GOOD.replace(b",", b";"),
    GOOD.replace(b",", b"\t"),
    b" " + GOOD,
    GOOD + b" ",
    GOOD + b"\r\n",
    GOOD + b"\0",
    GOOD + b",v0",
    GOOD + b",v0=",
    GOOD + b",=x",
    GOOD + b",v\xe90=x",
    GOOD + b",v0=\xe9",
    GOOD + b",v0=a b",
    GOOD + b",t=%d" % NOW,
    GOOD + b"," + GOOD,
    GOOD + b", " + GOOD,
    GOOD + b",v1=%s" % V1[4:],
    GOOD + b",v2=%s" % V1[4:],
    GOOD + b",v2=",
    GOOD + b",v1=%s0" % V1[3:],
    GOOD + b",v1=%s" % (b"g" * 64),
    GOOD.replace(V1, b"v1=" + V1[3:].upper()),
    GOOD.replace(V1, b"v1=0x" + V1[5:]),
    GOOD[:-1],
    GOOD + b"0",
    b",".join([b"t=%d" % NOW, *[V1] * (limits.signature_candidates_max + 1)]),
    GOOD + b",x=" + b"y" * limits.signature_header_bytes_max,
    *(
        b"t=%s,%s" % (time, V1)
        for time in (
            b"0%d" % NOW,
            b"+%d" % NOW,
            b"-%d" % NOW,
            b"%d " % NOW,
            b" %d" % NOW,
            b"%d.0" % NOW,
            b"%de0" % NOW,
            b"0x6ab13b80",
            b"1_790_000_000",
            b"%d000" % NOW,
            b"9" * 12,
            b"9" * 13,
            b"9" * 400,
            b"-1",
            b"0",
            b"\xd9\xa1\xd9\xa7\xd9\xa9" + b"0" * 7,
            b"\xb2%d" % NOW,
            "１７９０００００００".encode(),
        )
    ),
]


@pytest.mark.parametrize("header", MALFORMED)
def test_a_malformed_header_is_worth_nothing(header: bytes) -> None:
    assert not check(header)


def test_as_many_candidates_as_allowed_are_looked_at() -> None:
    count = limits.signature_candidates_max
    assert check(b",".join([b"t=%d" % NOW, *[WRONG] * (count - 1), V1]))
    assert not check(b",".join([b"t=%d" % NOW, *[WRONG] * count, V1]))


def test_a_timestamp_in_another_spelling_is_refused_although_it_was_signed_like_that() -> None:
    for spelling in (b"0%d" % NOW, b"+%d" % NOW, b"%d.0" % NOW):
        message = spelling + oracle.request_message(NOW, "POST", TARGET, BODY)[len(str(NOW)) :]
        assert not check(b"t=%s,v1=%s" % (spelling, oracle.digest(SECRET, message).hex().encode()))


_PIECES = st.sampled_from(
    [
        *(
            b"t=",
            b"v1=",
            b"v0=",
            b",",
            b"=",
            b" ",
            b"%d" % NOW,
            b"%d" % (NOW - 301),
            b"0",
            b"f",
            b"\xff",
            b"\0",
        ),
        *(V1, V1[3:], WRONG, WRONG[3:], GOOD),
        *(b"v2=", SECOND, SECOND.partition(b",")[2]),
    ]
)
_HEADERS = st.one_of(st.lists(_PIECES, max_size=9).map(b"".join), st.binary(max_size=90))


@given(
    header=_HEADERS,
    now_s=st.integers(NOW - 302, NOW + 302),
    key=st.sampled_from([b"", KEY]),
    covers_key=st.booleans(),
)
@example(header=GOOD, now_s=NOW + 300, key=b"", covers_key=False)
@example(header=b"t=0," + V1, now_s=0, key=KEY, covers_key=False)
@example(header=SECOND + b"," + V1, now_s=NOW, key=KEY, covers_key=True)
def test_any_header_is_judged_as_the_oracle_judges_it(
    header: bytes, now_s: int, key: bytes, covers_key: bool
) -> None:
    signers = (Signer(OLD), Signer(SECRET))
    rest = ("POST", TARGET, BODY, now_s, key, covers_key)
    assert signature.verify_request(signers, header, *rest) == oracle.verify_request(
        (OLD, SECRET), header, *rest
    )


@st.composite
def _mutations(draw: st.DrawFn) -> bytes:
    """A good header with some bytes changed, removed, put in or said twice."""
    header = bytearray(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(header)))
        match draw(st.integers(0, 3)):
            case 0:
                header[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                del header[place : place + draw(st.integers(1, 8))]
            case 2:
                header[place:place] = draw(st.binary(min_size=1, max_size=3))
            case _:
                header[place:place] = header[place : place + draw(st.integers(1, 80))]
    return bytes(header)


@given(header=_mutations())
def test_a_mutated_header_is_accepted_only_if_it_says_the_same(header: bytes) -> None:
    accepted = check(header)
    assert accepted == (oracle.verify_request((SECRET,), header, "POST", TARGET, BODY, NOW) is not None)
    if accepted:
        parsed = oracle.parse(header, (b"v1", b"v2"))
        assert parsed is not None
        assert parsed[0] == NOW
        assert bytes.fromhex(V1[3:].decode()) in parsed[1]


@given(
    secrets=st.lists(st.binary(min_size=1, max_size=140), min_size=1, max_size=3).map(tuple),
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    target=st.binary(max_size=300),
    body=st.binary(max_size=300),
    timestamp=st.integers(0, 10**12 - 1),
    key=st.binary(max_size=60),
    direct=st.booleans(),
)
def test_signatures_are_those_of_the_oracle(
    secrets: tuple[bytes, ...],
    method: str,
    target: bytes,
    body: bytes,
    timestamp: int,
    key: bytes,
    direct: bool,
) -> None:
    signature.choose_hashing(direct)
    signers = tuple(map(Signer, secrets))
    try:
        header = oracle.signed(secrets, method, target, body, timestamp, key)
        assert signature.sign_request(signers, method, target, body, timestamp, key) == header
        at = (header.encode(), method, target, body, timestamp)
        assert signature.verify_request(signers[-1:], *at, key, True) == timestamp
        webhook = signature.sign_webhook(signers, body, timestamp)
        assert webhook == oracle.header(secrets, oracle.webhook_message(timestamp, body), timestamp)
        assert signature.verify_webhook(signers[:1], webhook.encode(), body, timestamp) == timestamp
        standard = signature.sign_standard_webhook(signers, "evt_1", body, timestamp)
        assert standard == oracle.standard_header(secrets, "evt_1", body, timestamp)
    finally:
        signature.choose_hashing(True)


def test_the_vectors_of_wycheproof(hashing: bool) -> None:
    published = json.loads((folder("wycheproof") / "hmac_sha256_test.json").read_bytes())
    wrong = []
    seen = 0
    for group in published["testGroups"]:
        for case in group["tests"]:
            seen += 1
            digest = Signer(bytes.fromhex(case["key"])).digest(bytes.fromhex(case["msg"]))
            agrees = digest[: group["tagSize"] // 8] == bytes.fromhex(case["tag"])
            if agrees != (case["result"] == "valid"):
                wrong.append(case["tcId"])
    assert wrong == []
    assert seen == published["numberOfTests"]


def test_the_official_client_accepts_our_webhooks() -> None:
    secret, body = "whsec_dGVzdCBzZWNyZXQ", b'{"id":"evt_1","amount":"\xc3\xa9"}'
    signers = (Signer(secret.encode()),)
    header = signature.sign_webhook(signers, body, NOW)
    # Theirs looks at the machine's clock where a tolerance is given.
    verify = stripe.WebhookSignature.verify_header
    assert verify(body.decode(), header, secret)
    with pytest.raises(stripe.SignatureVerificationError):
        verify(body.decode() + " ", header, secret)


def test_a_webhook_is_checked_like_a_request() -> None:
    header = signature.sign_webhook(SIGNERS, BODY, NOW).encode()
    assert signature.verify_webhook(SIGNERS, header, BODY, NOW + 300) == NOW
    assert signature.verify_webhook(SIGNERS, header, BODY, NOW + 301) is None
    assert signature.verify_webhook(SIGNERS, header, BODY + b" ", NOW) is None
    assert signature.verify_webhook((Signer(OLD),), header, BODY, NOW) is None
    for malformed in MALFORMED:
        assert signature.verify_webhook(SIGNERS, malformed, BODY, NOW) is None


def test_the_example_of_standard_webhooks() -> None:
    """The vector that the specification's own libraries are tested with."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    header = signature.sign_standard_webhook(
        (Signer(key),), "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330
    )
    assert header == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("timestamp", [-1, 10**12])
def test_a_timestamp_that_no_header_can_hold_is_not_signed(timestamp: int) -> None:
    with pytest.raises(ValueError, match="seconds since 1970"):
        signature.sign_webhook(SIGNERS, b"", timestamp)
    with pytest.raises(ValueError, match="seconds since 1970"):
        signature.sign_request(SIGNERS, "POST", TARGET, b"", timestamp)
    with pytest.raises(ValueError, match="at least one secret"):
        signature.sign_webhook((), b"", NOW)


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        Signer(b"")


def test_a_signer_gives_its_secret_away_to_nobody() -> None:
    signer = Signer(SECRET)
    assert SECRET.decode() not in repr(signer) + str(signer) + str(dir(signer))
    with pytest.raises(TypeError):
        pickle.dumps(signer)
    with pytest.raises(TypeError):
        signature.verify_request(("no signer",), GOOD, "POST", TARGET, BODY, NOW)  # type: ignore[arg-type]
