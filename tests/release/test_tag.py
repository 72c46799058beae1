"""A release is tagged only on a commit that passed the tests, with a changelog that has its day."""

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from release import schemas, tag
from release.building import BuildError
from release.sources import ROOT

TODAY = dt.date(2027, 1, 31)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit that is ready to be released, and passed the tests."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "tests")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "tests@example.com")
    versions = "fastpay/store/migrations/versions"
    for path in ("pyproject.toml", "fastpay/__init__.py", ".gitignore"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / path, tmp_path / path)
    shutil.copytree(ROOT / versions, tmp_path / versions)
    _write_changelog(tmp_path, day="2027-01-30")
    tag.git(tmp_path, "init", "--quiet")
    _commit(tmp_path)
    return tmp_path


def _write_changelog(root: Path, *, day: str, version: str = "", notes: str = "- None.") -> None:
    heading = f"## {version or tag.read_version(root)} ({day})"
    (root / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n\n### Upgrade notes\n\n{notes}\n", "utf-8")


def _commit(root: Path) -> None:
    tag.git(root, "add", "--all")
    tag.git(root, "commit", "--quiet", "--message", "a change")
    tag.note_tested(root)


def _build(root: Path) -> Callable[[], int]:
    def build() -> int:
        (root / "dist").mkdir()
        (root / "dist" / "SHA256SUMS").write_text(f"{'0' * 64}  fastpay.whl\n", encoding="utf-8")
        return 0

    return build


def test_a_tested_commit_gets_a_tag_with_its_schema_and_digests(clone: Path) -> None:
    assert tag.release(clone, _build(clone), today=TODAY) == f"v{tag.read_version(clone)}"
    assert tag.git(clone, "cat-file", "-t", f"v{tag.read_version(clone)}") == "tag"
    said = tag.git(clone, "tag", "--list", "--format=%(contents)", "v*")
    floors = schemas.read_floors(ROOT)
    assert said.splitlines() == [
        *(f"fastpay {tag.read_version(clone)}", ""),
        f"Schema: migration {list(floors)[-1]}. "
        f"Programs that know migration {max(floors.values())} work on it.",
        *("Upgrade notes: CHANGELOG.md.", "", f"{'0' * 64}  fastpay.whl"),
    ]
    assert list(tag.find_faults(clone, today=TODAY)) == [
        f"version {tag.read_version(clone)} has a tag: no release is changed"
    ]


def _leave_a_change(root: Path) -> None:
    (root / "fastpay" / "new.py").touch()


def _commit_after_the_tests(root: Path) -> None:
    (root / "fastpay" / "new.py").touch()
    tag.git(root, "add", "--all")
    tag.git(root, "commit", "--quiet", "--message", "a change")


def _test_with_changes(root: Path) -> None:
    (root / "fastpay" / "new.py").touch()
    tag.note_tested(root)
    (root / "fastpay" / "new.py").unlink()


def _change_the_package(root: Path) -> None:
    (root / "fastpay" / "__init__.py").write_text('__version__ = "9.9.9"\n', encoding="utf-8")
    _commit(root)


def _changelog(**given: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        _write_changelog(root, **given)
        _commit(root)

    return write


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (_leave_a_change, "the tree has changes"),
        (_commit_after_the_tests, "did not pass the tests"),
        (_test_with_changes, "did not pass the tests"),
        (_change_the_package, "has another version"),
        (_changelog(day="2027-01-30", version="9.9.9"), "does not begin with version"),
        (_changelog(day="2027-01-30", notes=""), "does not begin with version"),
        (_changelog(day="unreleased"), "does not have the day"),
        (_changelog(day="2027-02-01"), "does not have the day"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_built(
    clone: Path, spoil: Callable[[Path], None], fault: str
) -> None:
    spoil(clone)
    with pytest.raises(BuildError, match=f"nothing is released:\n.*{fault}") as raised:
        tag.release(clone, _build(clone), today=TODAY)
    assert len(str(raised.value).splitlines()) == 2
    assert not (clone / "dist").exists()
    assert tag.git(clone, "tag", "--list") == ""


@pytest.mark.parametrize("status", [0, 1])
def test_a_build_that_fails_or_changes_the_tree_makes_no_tag(clone: Path, status: int) -> None:
    def build() -> int:
        _leave_a_change(clone)
        return status

    with pytest.raises(BuildError, match="the build has changed the tree" if status == 0 else "not be built"):
        tag.release(clone, build, today=TODAY)
    assert tag.git(clone, "tag", "--list") == ""


def test_the_tests_pass_where_no_repository_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    tag.note_tested(tmp_path)
    assert "not a git repository" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_make_runs_these_steps() -> None:
    """Only a run of all tests counts: `make test ARGUMENTS=...` may choose some."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "\t@$(if $(ARGUMENTS),,$(BIN)/python -m release.tag --tested)\n" in makefile
    assert "\t$(BIN)/python -m release.tag\n" in makefile
