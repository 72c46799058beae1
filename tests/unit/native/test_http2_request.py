"""The compiled rules for HTTP/2 requests refuse what the plain ones refuse, and build the same scopes."""

import os
import random
import time
from typing import Any

from fastpay._native.http2_request import RequestPolicy
from fastpay.server.settings import ServerSettings
from tests.reference import http2_request as oracle

SECONDS = float(os.environ.get("FASTPAY_FUZZ_SECONDS", "1"))
SETTINGS = ServerSettings(
    target_bytes_max=60, header_bytes_max=400, header_count_max=12, body_bytes_max=1_000
)
NAMES = (
    *(
        b"host",
        b"cookie",
        b"te",
        b"expect",
        b"content-length",
        b"content-type",
        b"authorization",
        b"x",
        b"x-y",
    ),
    *(b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"stripe-version"),
    *(b"", b":path", b":protocol", b":status", b"X", b"x_y", b"x y", b"te_", b"\xff", b"x:"),
)
VALUES = (
    *(
        b"a",
        b"",
        b"a; b",
        b"trailers",
        b"Trailers",
        b"100-continue",
        b"0",
        b"12",
        b"1001",
        b"+1",
        b"1" * 16,
        b"1_0",
    ),
    *(b" a", b"a\t", b"a b", b"a\0", b"a\r\n", b"\x7f", b"\xff", b"localhost:80", b"a" * 90),
)
METHODS = (b"GET", b"POST", b"DELETE", b"CONNECT", b"TRACE", b"get", b"", b"G T", b"P_T")
PATHS = (
    b"/",
    b"/v1/a?b=c",
    b"*",
    b"",
    b"a",
    b"/%41",
    b"/%4",
    b"/#",
    b"/\xff",
    b"/" + b"a" * 70,
    b"//",
    b"/a/../b",
)


def invent(chance: random.Random) -> oracle.Headers:
    """Return the fields of a request, mostly honest."""

    def pick(honest: bytes, others: tuple[bytes, ...]) -> bytes:
        return honest if chance.random() < 0.8 else chance.choice(others)

    fields = [
        (b":method", pick(b"POST", METHODS)),
        (b":scheme", pick(b"https", (b"http", b"HTTPS", b"ftp", b""))),
        (b":path", pick(b"/v1/x", PATHS)),
        (b":authority", pick(b"a", VALUES)),
    ]
    fields = [field for field in fields if chance.random() < 0.97]
    chance.shuffle(fields)
    for _ in range(chance.choice([0, 1, 2, 4, 12])):
        honest = chance.random() < 0.7
        fields.append(
            (b"x-%d" % chance.randrange(9), b"y") if honest else (chance.choice(NAMES), chance.choice(VALUES))
        )
    if chance.random() < 0.05:
        fields.insert(chance.randint(0, len(fields)), chance.choice(fields))
    return fields


def test_requests_are_judged_as_the_oracle_judges_them() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)  # noqa: T201 - pytest shows it when the test fails
    chance = random.Random(seed)
    ours, plain = RequestPolicy(SETTINGS), oracle.RequestPolicy(SETTINGS)
    end, faults = time.monotonic() + SECONDS, set[int]()
    while time.monotonic() < end or len(faults) < 20:
        fields = invent(chance)
        scope: dict[str, Any] = {}
        expected: dict[str, Any] = {}
        found, due = ours.build_scope(fields, scope), plain.build_scope(fields, expected)
        assert found.fault == due.fault, fields
        faults.add(found.fault)
        if not found.fault:
            assert (found.expects_continue, found.length) == (due.expects_continue, due.length), fields
            assert scope == expected
            assert found.head_bytes == sum(len(name) + len(value) for name, value in fields)
        trailers = [field for field in fields if chance.random() < 0.5]
        assert ours.check_trailers(trailers) == plain.check_trailers(trailers), trailers


def test_each_byte_of_a_name_a_value_and_a_target_is_judged_alike() -> None:
    ours, plain = RequestPolicy(SETTINGS), oracle.RequestPolicy(SETTINGS)
    for byte in map(bytes, zip(range(256))):
        for changes in (
            {b"x" + byte: b"y"},
            {b"x": b"y" + byte + b"y"},
            {b":path": b"/" + byte},
            {b":method": byte},
        ):
            named = {b":method": b"GET", b":scheme": b"http", b":path": b"/", b":authority": b"a", **changes}
            fields = list(named.items())
            assert ours.build_scope(fields, {}).fault == plain.build_scope(fields, {}).fault, fields
