"""The official clients in other languages drive the server too: one short life of payments each."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.browser import found
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

PROGRAMS = Path(__file__).parent / "languages"
# Compiling takes long on a busy machine. A guard against a hang, never a measurement.
PATIENCE_SECONDS = 600
TOLD = {
    "statuses": ["requires_confirmation", "requires_capture", "succeeded", "succeeded"],
    "received": 1500,
    "same": True,
    "replayed": "true",
    "listed": 4,
    "declined": {"type": "card_error", "code": "card_declined", "param": "", "status": 402},
    "wrong": {"type": "invalid_request_error", "code": "amount_too_small", "param": "amount", "status": 400},
    "mismatch": {"type": "idempotency_error", "code": "", "param": "", "status": 400},
    "missing": {"type": "invalid_request_error", "code": "resource_missing", "param": "id", "status": 404},
}


def run(command: Sequence[str], place: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=place, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def install(package: str, command: Sequence[str], place: Path) -> None:
    """Install a client, or skip the test and say which one is missing."""
    ran = run(command, place)
    if ran.returncode != 0:
        said = (ran.stderr or ran.stdout).strip().splitlines()
        pytest.skip(f"{package} could not be installed: {said[-1][:200] if said else 'no word of why'}")


def prepare_go(place: Path) -> list[str]:
    go = found("go", "golang-go")
    install("the Go module github.com/stripe/stripe-go/v85", [go, "mod", "download"], place)
    built = run([go, "build", "-o", "life", "."], place)
    assert built.returncode == 0, built.stderr
    return [str(place / "life")]


def prepare_java(place: Path) -> list[str]:
    java, maven = found("java", "default-jdk-headless"), found("mvn", "maven")
    fetch = [maven, "--quiet", "--batch-mode", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
    install("the Maven artifact com.stripe:stripe-java", fetch, place)
    return [java, "-cp", "jars/*", "Life.java"]


def prepare_php(place: Path) -> list[str]:
    php, composer = found("php", "php-cli"), found("composer", "composer")
    install("the Composer package stripe/stripe-php", [composer, "install", "--no-interaction"], place)
    return [php, "life.php", "vendor/autoload.php"]


def prepare_ruby(place: Path) -> list[str]:
    ruby, gem = found("ruby", "ruby"), found("gem", "ruby")
    install(
        "the Ruby gem stripe", [gem, "install", "--install-dir", "gems", "--no-document", "stripe"], place
    )
    return ["env", f"GEM_PATH={place / 'gems'}", ruby, "life.rb"]


@pytest.mark.parametrize(
    ("language", "prepare"),
    [("go", prepare_go), ("java", prepare_java), ("php", prepare_php), ("ruby", prepare_ruby)],
)
def test_a_short_life_of_payments(
    server: RunningServer,
    tenant: Tenant,
    tmp_path: Path,
    language: str,
    prepare: Callable[[Path], list[str]],
) -> None:
    place = tmp_path / language
    shutil.copytree(PROGRAMS / language, place)
    ran = run([*prepare(place), server.url, tenant.secret], place)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    # What an error does not have is null to one client and empty to another.
    for refused in ("declined", "wrong", "mismatch", "missing"):
        told[refused] = {name: value or "" for name, value in told[refused].items()}
        told[refused].setdefault("code", "")
        told[refused].setdefault("param", "")
    assert told == TOLD


def test_a_short_life_of_payments_in_dotnet() -> None:
    pytest.skip("the NuGet package Stripe.net is not driven: the .NET SDK is no package of Debian")
