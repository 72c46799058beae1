"""The official clients in other languages drive the server too: one short life of payments each."""

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.browser import found
from tests.support.builds import built
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


def built_there(command: Sequence[str], place: Path) -> None:
    ran = run(command, place)
    assert ran.returncode == 0, ran.stderr


def prepare_go(place: Path) -> None:
    go = found("go", "golang-go")
    install("the Go module github.com/stripe/stripe-go/v85", [go, "mod", "download"], place)
    built_there([go, "build", "-o", "life", "."], place)


def prepare_java(place: Path) -> None:
    javac, maven = found("javac", "default-jdk-headless"), found("mvn", "maven")
    fetch = [maven, "--quiet", "--batch-mode", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
    install("the Maven artifact com.stripe:stripe-java", fetch, place)
    built_there([javac, "-cp", "jars/*", "Life.java"], place)


def prepare_php(place: Path) -> None:
    found("php", "php-cli")
    composer = found("composer", "composer")
    install("the Composer package stripe/stripe-php", [composer, "install", "--no-interaction"], place)


def prepare_ruby(place: Path) -> None:
    found("ruby", "ruby")
    command = [found("gem", "ruby"), "install", "--install-dir", "gems", "--no-document", "stripe"]
    install("the Ruby gem stripe", command, place)


@pytest.mark.parametrize(
    ("language", "prepare", "command"),
    [
        ("go", prepare_go, ["{place}/life"]),
        ("java", prepare_java, ["java", "-cp", "jars/*:.", "Life"]),
        ("php", prepare_php, ["php", "life.php", "vendor/autoload.php"]),
        ("ruby", prepare_ruby, ["env", "GEM_PATH={place}/gems", "ruby", "life.rb"]),
    ],
    ids=["go", "java", "php", "ruby"],
)
def test_a_short_life_of_payments(
    server: RunningServer,
    tenant: Tenant,
    language: str,
    prepare: Callable[[Path], None],
    command: list[str],
) -> None:
    place = built(language, PROGRAMS / language, prepare)
    ran = run([*(word.format(place=place) for word in command), server.url, tenant.secret], place)
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
