"""How long does it take to check a signature, beside `hmac.digest` alone over 300 bytes?

Run: pytest benchmarks/signatures.py. The target is half of `hmac.digest`, for reading the header, the
tolerance, the HMAC of 300 bytes and the comparison; a request has its body hashed on top of that.
"""

import hmac

from pytest_benchmark.fixture import BenchmarkFixture

from fastpay._native import signature
from fastpay._native.signature import Signer
from fastpay.signing import sign_request

_NOW = 1_790_000_000
_SECRET = b"fpss_" + b"k" * 42
_SIGNERS = (Signer(_SECRET),)
# With its timestamp and the full stop after it, 300 bytes.
_WEBHOOK = b"w" * 289
_BODY = b"b" * 300
_TARGET = b"/v1/payment_intents"
# Signed with the digest of an empty body: 300 bytes again.
_LONG_TARGET = b"/" + b"t" * 218


def test_hmac_alone(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(hmac.digest, _SECRET, b"m" * 300, "sha256")) == 32


def test_webhook_of_300_bytes(benchmark: BenchmarkFixture) -> None:
    header = signature.sign_webhook(_SIGNERS, _WEBHOOK, _NOW).encode()
    assert len(f"{_NOW}.".encode() + _WEBHOOK) == 300
    assert benchmark(signature.verify_webhook, _SIGNERS, header, _WEBHOOK, _NOW) == _NOW


def test_request_whose_signed_text_has_300_bytes(benchmark: BenchmarkFixture) -> None:
    header = sign_request(_SECRET.decode(), "GET", _LONG_TARGET, timestamp=_NOW).encode()
    assert len(f"{_NOW}.GET.".encode() + _LONG_TARGET + b"..") + 64 == 300
    assert benchmark(signature.verify_request, _SIGNERS, header, "GET", _LONG_TARGET, b"", _NOW) == _NOW


def test_request_whose_body_has_300_bytes(benchmark: BenchmarkFixture) -> None:
    header = sign_request(_SECRET.decode(), "POST", _TARGET, _BODY, timestamp=_NOW).encode()
    assert benchmark(signature.verify_request, _SIGNERS, header, "POST", _TARGET, _BODY, _NOW) == _NOW


def test_request_that_is_signed(benchmark: BenchmarkFixture) -> None:
    signed = benchmark(signature.sign_request, _SIGNERS, "POST", _TARGET, _BODY, _NOW)
    assert signed == sign_request(_SECRET.decode(), "POST", _TARGET, _BODY, timestamp=_NOW)


def test_request_through_hashlib(benchmark: BenchmarkFixture) -> None:
    """What is left where OpenSSL's functions cannot be called directly."""
    header = sign_request(_SECRET.decode(), "POST", _TARGET, _BODY, timestamp=_NOW).encode()
    signature.choose_hashing(False)
    try:
        assert benchmark(signature.verify_request, _SIGNERS, header, "POST", _TARGET, _BODY, _NOW) == _NOW
    finally:
        signature.choose_hashing(True)
