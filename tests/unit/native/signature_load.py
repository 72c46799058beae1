"""Run by test_signature_time.py under valgrind: checks headers that are right for longer and longer."""

from fastpay._native.signature import Signer, verify_request
from fastpay.signing import sign_request

NOW = 1_790_000_000
WARMING = 3


def headers() -> list[bytes]:
    """Return headers whose signature agrees with the right one in none, one ... 64 of its first digits."""
    good = sign_request("secret", "POST", "/v1/refunds", "charge=ch_1", timestamp=NOW)
    start, _, digits = good.partition("v2=")
    return [
        (start + "v2=" + digits[:count] + "".join(_other(digit) for digit in digits[count:])).encode()
        for count in range(len(digits) + 1)
    ]


def _other(digit: str) -> str:
    return "0" if digit != "0" else "f"


def main() -> None:
    """Check every header. The first few calls find their memory; they are there to be left out."""
    signers = (Signer(b"secret"), Signer(b"another"))
    found = headers()
    for header in found[:1] * WARMING + found:
        verify_request(signers, header, "POST", b"/v1/refunds", b"charge=ch_1", NOW)


if __name__ == "__main__":
    main()
