"""Build all files of a release into dist/, twice, and run the SDK's tests against each installed wheel.

A Python that this machine does not have is named and left out. Give versions to insist on them:
`make wheel ARGUMENTS='3.11 3.12 3.13'` fails where one is missing.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from release import bill, building, contents, installing
from release.pythons import VERSIONS, find_python, tag
from release.sources import ROOT

DIST = ROOT / "dist"
PLACE = ROOT / "build" / "release"
TOOLS = Path(sys.executable).parent
# What the official client does with payments: half a minute for each Python.
SDK_TESTS = ("tests/sdk/test_payments.py", "tests/sdk/test_refunds.py", "tests/sdk/test_idempotency.py")


def main(asked: list[str]) -> int:
    """Return 0 if all that was built is sound, and all that was asked for was built."""
    found = {version: find_python(version) for version in asked or VERSIONS}
    absent = [version for version, python in found.items() if python is None]
    for version in absent:
        print(f"no CPython {version} on this machine: no wheel for it")
    pythons = {version: python for version, python in found.items() if python is not None}
    if not pythons or (asked and absent):
        return 1
    shutil.rmtree(DIST, ignore_errors=True)
    shutil.rmtree(PLACE, ignore_errors=True)
    name = f"fastpay-{_version()}"
    for version, python in pythons.items():
        wheel = _build(version, python)
        installed = installing.make_environment(python, PLACE / f"installed-{tag(version)}")
        installing.install_locked(installed, wheel)
        bill.write_bill(installed, wheel, DIST / f"{name}-{tag(version)}.cdx.json", TOOLS)
        if fault := installing.find_http2_fault(installed):
            raise building.BuildError(f"HTTP/2 in {wheel.name}: {fault}")
        _test(version, installed)
        print(f"{wheel.name}: {wheel.stat().st_size >> 10} KiB, twice the same bytes, installs and serves")
    shutil.copyfile(building.LOCKS / "requirements.lock", DIST / f"{name}.requirements.lock")
    _write_sums()
    return 0


def _build(version: str, python: Path) -> Path:
    """Return the wheel for a Python, after it was built twice."""
    builder = building.make_builder(python, version, PLACE)
    made = []
    for into in (DIST, PLACE / "again"):
        plain = building.build_server(builder, PLACE / "plain")
        made += [building.repair(plain, into, TOOLS), building.build_client(builder, into, _version())]
    for first, second in zip(made[:2], made[2:], strict=True):
        if (first.name, first.read_bytes()) != (second.name, second.read_bytes()):
            raise building.BuildError(f"{first.name} is not reproducible: compare {first} with {second}")
    if faults := contents.find_faults(made[0]):
        raise building.BuildError("\n".join(faults))
    return made[0]


def _test(version: str, installed: Path) -> None:
    """Run the official client against the installed program."""
    env = os.environ | {"FASTPAY_TEST_PROGRAM": str(installed.with_name("fastpay"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SDK_TESTS]
    if subprocess.run(command, cwd=ROOT, env=env, check=False).returncode != 0:
        raise building.BuildError(f"the SDK's tests failed against the wheel for Python {version}")


def _write_sums() -> None:
    """Write the SHA-256 of each file, as `sha256sum --check` reads them."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in sorted(DIST.iterdir())
    ]
    (DIST / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except building.BuildError as error:
        sys.exit(str(error))
