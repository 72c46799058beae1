"""fastpay/observability/program_name.py"""

import re
import sys
from pathlib import Path

import pytest

import fastpay
from fastpay.observability.program_name import command_name, install_command


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed program that PATH does not lead to, with an interpreter beside it."""
    place = tmp_path / "bin" / "fastpay"
    place.parent.mkdir()
    place.touch(0o755)
    monkeypatch.setattr(sys, "executable", str(place.with_name("python")))
    monkeypatch.setenv("PATH", "/nonexistent")
    return place


def test_the_name_alone_will_do_where_path_leads_to_it(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    for called in (str(program), "/x/fastpay/__main__.py"):
        monkeypatch.setattr(sys, "argv", [called])
        assert command_name() == "fastpay"


def test_elsewhere_the_hint_is_what_was_typed(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(program.parent.parent)
    for called, name in (
        ("bin/fastpay", "bin/fastpay"),
        ("a b/fastpay", "'a b/fastpay'"),
        ("/x/fastpay/__main__.py", f"{sys.executable} -m fastpay"),
    ):
        monkeypatch.setattr(sys, "argv", [called])
        assert command_name() == name


def test_under_another_program_it_is_the_plain_name(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pytest"])
    assert command_name() == "fastpay"


def test_an_extra_is_installed_into_the_interpreter_that_runs(program: Path) -> None:
    assert install_command("embedded") == f"{program.with_name('python')} -m pip install 'fastpay[embedded]'"


def test_no_hint_names_a_program_that_path_may_not_lead_to() -> None:
    hint = re.compile(
        r"pip install 'fastpay|(?:\brun|then|with:|;) fastpay (?:serve|migrate|keys|tenants|sealing|doctor)"
    )
    package = Path(fastpay.__file__).parent
    found = [
        f"{path.name}:{number}"
        for path in sorted(package.rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if hint.search(line)
    ]
    assert found == []
