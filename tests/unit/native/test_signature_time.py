"""How long a check takes says nothing about the right signature: instructions are counted, not seconds."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fastpay._native import signature
from fastpay.signing import sign_request
from tests.unit.native import signature_load

ROOT = Path(__file__).parents[3]
NOW = 1_790_000_000
# The first few calls find their memory.
WARMING = 3


def headers() -> list[str]:
    """Return headers whose signature agrees with the right one in none, one ... 64 of its first digits."""
    good = sign_request("secret", "POST", "/v1/refunds", "charge=ch_1", timestamp=NOW)
    start, _, digits = good.partition("v2=")
    return [
        start + "v2=" + digits[:count] + "".join(_other(digit) for digit in digits[count:])
        for count in range(len(digits) + 1)
    ]


def _other(digit: str) -> str:
    return "0" if digit != "0" else "f"


def count_instructions(place: Path) -> list[int]:
    """Return how many instructions each call took, in the order of the calls."""
    # Callgrind wants the whole name of the function that Python calls, which Cython made up.
    compiled = Path(signature.__file__).read_bytes()
    found = re.search(rb"__pyx_pw_\w*verify_request", compiled)
    assert found is not None, "the compiled module has lost its names"
    name = found[0].decode()
    options = [f"--toggle-collect={name}", f"--dump-after={name}", f"--callgrind-out-file={place / 'out'}"]
    first, *others = headers()
    sent = [first] * (WARMING + 1) + others
    load = [sys.executable, signature_load.__file__, str(NOW), *sent]
    subprocess.run(
        ["valgrind", "--tool=callgrind", *options, *load],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.fspath(ROOT)},
        capture_output=True,
        check=True,
    )
    dumps = sorted(place.glob("out.*"), key=lambda path: int(path.suffix[1:]))
    totals = (re.search(r"^totals: (\d+)$", path.read_text(encoding="utf-8"), re.M) for path in dumps)
    return [int(total[1]) for total in totals if total is not None and total[1] != "0"]


def test_a_check_takes_the_same_instructions_however_much_of_the_signature_is_right(tmp_path: Path) -> None:
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed (Debian package valgrind)")
    counts = count_instructions(tmp_path)[WARMING:]
    assert len(counts) == 65
    # The last one is right in whole, and returns a number.
    assert set(counts[:-1]) == {counts[0]}
    assert counts[0] > 1_000
