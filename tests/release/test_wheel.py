"""The files of a release: the same each time, without sources, and serving where no compiler is."""

import json
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
import stripe
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release import bill, building, contents, installing
from release.pythons import VERSIONS
from release.sources import ROOT
from tests.reference import signature as oracle
from tests.support.servers import end_server, start_server
from tests.support.tenants import make_tenant

PYTHON = Path(sys.executable)
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# The libraries of this environment, of which the lock has the like: installing them again takes minutes.
LIBRARIES = Path(stripe.__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, from its compiled modules."""
    return building.build_server(PYTHON, tmp_path_factory.mktemp("first"), is_compiled=True)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel."""
    python = installing.make_environment(PYTHON, tmp_path_factory.mktemp("installed"))
    installing.install_alone(python, wheel)
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(f"{LIBRARIES}\n")
    return python


def test_the_wheel_holds_the_package_and_no_sources(wheel: Path) -> None:
    assert contents.find_faults(wheel, is_released=False) == []
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "fastpay/py.typed" in names
    assert "fastpay/_native/form.pyi" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_says_its_version_and_brings_the_changelog_and_the_security_policy(wheel: Path) -> None:
    number = PROJECT["version"]
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"fastpay-{number}.dist-info/METADATA").decode()
        documents = f"fastpay-{number}.data/data/share/doc/fastpay"
        for name in ("CHANGELOG.md", "SECURITY.md"):
            assert archive.read(f"{documents}/{name}") == (ROOT / name).read_bytes()
    head = metadata.partition("\n\n")[0].splitlines()
    assert f"Version: {number}" in head
    assert [line for line in head if "Programming Language :: Python ::" in line] == [
        f"Classifier: Programming Language :: Python :: {python}" for python in VERSIONS
    ]


def test_a_wheel_that_lacks_a_file_or_has_a_source_is_found(wheel: Path, tmp_path: Path) -> None:
    changed = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            if name != "fastpay/errors.py":
                target.writestr(name, b"")
        target.writestr("fastpay/_native/form.pyx", b"")
        target.writestr("fastpay/note.txt", b"")
        target.writestr("fastpay.libs/libz-13a70f96.so.1", b"")
    assert contents.find_faults(changed) == [
        "fastpay/errors.py is missing",
        "0 copies of libnghttp2 are bundled, not 1: is libnghttp2-dev installed?",
        "fastpay.libs/libz-13a70f96.so.1 is too much",
        "fastpay/note.txt is too much",
        "fastpay/_native/form.pyx is a source",
        f"{wheel.name} has no tag manylinux",
    ]
    newer = wheel.with_name(wheel.name.replace("-linux_", "-manylinux_2_34_"))
    assert contents.glibc_of(newer) == (2, 34)
    assert contents.glibc_of(Path("x-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")) == (2, 17)


def test_a_wheel_has_its_own_library_for_http2_and_names_it(
    wheel: Path, installed: Path, tmp_path: Path
) -> None:
    """As auditwheel leaves it, which only `make wheel` runs. This one is linked to the machine's library."""
    repaired = tmp_path / wheel.name.replace("-linux_", "-manylinux_2_17_")
    library = {"bom-ref": "pkg:deb/debian/libnghttp2-14@1.52.0-1", "name": "libnghttp2-14"}
    own = {"bom-ref": "pkg:pypi/fastpay@1", "name": "fastpay"}
    said = {"metadata": {"component": own}, "components": [own, library]}
    shutil.copyfile(wheel, repaired)
    with zipfile.ZipFile(repaired, "a") as archive:
        archive.writestr("fastpay.libs/libnghttp2-13a70f96.so.14.24.1", b"")
        archive.writestr("fastpay-1.dist-info/sboms/auditwheel.cdx.json", json.dumps(said))
    assert contents.find_faults(repaired) == []
    assert bill.read_bundled(repaired) == [library]
    fault = installing.find_http2_fault(installed)
    assert fault.startswith(("it loads /", "it was built without libnghttp2"))


def test_two_builds_have_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    again = building.build_server(PYTHON, tmp_path, is_compiled=True)
    assert (again.name, again.read_bytes()) == (wheel.name, wheel.read_bytes())


def test_no_module_needs_a_newer_glibc_or_another_library() -> None:
    """What a wheel of this checkout is going to be tagged: read from the symbols of its modules."""
    needed, libraries = set(), set()
    for path in (ROOT / "fastpay" / "_native").glob(f"*{SUFFIX}"):
        listing = building.run(["objdump", "-p", path])
        needed |= {line.split("GLIBC_")[1].strip() for line in listing.splitlines() if "GLIBC_" in line}
        own = {line.split()[1] for line in listing.splitlines() if line.split()[:1] == ["NEEDED"]}
        if path.name.startswith("hpack."):
            # A released wheel brings it along.
            own.remove("libnghttp2.so.14")
        libraries |= own
    newest = max(tuple(map(int, text.split("."))) for text in needed)
    assert newest <= contents.GLIBC_MAX
    assert libraries <= {"libc.so.6", "libpthread.so.0"}


def test_the_installed_program_serves_the_sdk(
    installed: Path, database_url: str, data_dir: Path, scratch: Path
) -> None:
    environment = {
        "PATH": str(installed.parent),
        "FASTPAY_DATABASE_URL": database_url,
        "PYTHONSAFEPATH": "1",
    }
    code = "import fastpay, fastpay._native.form as f; print(fastpay.__file__, f.__file__)"
    where = building.run([installed, "-I", "-c", code])
    assert where.count(str(installed.parents[1])) == 2
    program = [str(installed.with_name("fastpay"))]
    running = start_server(data_dir, scratch, environment=environment, program=program)
    try:
        running.wait_ready()
        secret = make_tenant(database_url).secret
        client = stripe.StripeClient(secret, base_addresses={"api": running.url})
        payment = client.v1.payment_intents.create(
            {"amount": 1999, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
        )
        refund = client.v1.refunds.create({"payment_intent": payment.id, "amount": 500})
        assert (payment.status, refund.status) == ("succeeded", "succeeded")
    finally:
        end_server(running)


def test_clients_sign_without_the_server(tmp_path: Path) -> None:
    wheel = building.build_client(PYTHON, tmp_path, "1.2.3")
    assert wheel.name == "fastpay_signing-1.2.3-py3-none-any.whl"
    python = installing.make_environment(PYTHON, tmp_path / "client")
    installing.install_alone(python, wheel)
    code = (
        "import importlib.metadata as m, fastpay_signing as s\n"
        "print([(one.name, one.requires) for one in m.distributions()])\n"
        "print(s.sign_request('fpss_x', 'POST', '/v1/x', 'a=1', idempotency_key='k.1', timestamp=7))\n"
        "import fastpay\n"
    )
    ran = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False)
    expected = oracle.signed((b"fpss_x",), "POST", b"/v1/x", b"a=1", 7, b"k.1")
    assert ran.stdout.splitlines() == ["[('fastpay-signing', None)]", expected], ran.stderr
    assert "No module named 'fastpay'" in ran.stderr


def test_the_lock_has_what_the_package_requires() -> None:
    """`make lock` writes it anew."""
    lock = (ROOT / "release" / "requirements.lock").read_text(encoding="utf-8")
    locked = {
        found.name: found
        for line in lock.splitlines()
        if "==" in line and not line.startswith((" ", "#"))
        for found in [Requirement(line.removesuffix(" \\"))]
    }
    lines = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["embedded"]]
    for required in map(Requirement, [*lines, *PROJECT["optional-dependencies"]["otel"]]):
        (exact,) = locked[canonicalize_name(required.name)].specifier
        assert required.specifier.contains(exact.version), f"{required}, but {exact} in the lock"
    assert lock.count("--hash=sha256:") >= len(locked)
    assert version("fastpay") == PROJECT["version"]
