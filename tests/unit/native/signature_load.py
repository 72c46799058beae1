"""Run by test_signature_time.py under valgrind: checks the headers that it is given.

It loads nothing else than what is measured: under valgrind that takes most of the time.
"""

import sys

from fastpay._native.signature import Signer, verify_request


def main() -> None:
    """Check every header."""
    signers = (Signer(b"secret"), Signer(b"another"))
    now = int(sys.argv[1])
    for header in sys.argv[2:]:
        verify_request(signers, header.encode(), "POST", b"/v1/refunds", b"charge=ch_1", now)


if __name__ == "__main__":
    main()
