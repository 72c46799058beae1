"""Build the files of a release and make its tag, `v` and the version: `make release`.

A release is a commit that passed `make test` in this clone, with a changelog that has its day. Whatever is
missing is named before anything is built. The tag is annotated with the schema and the digests of the files.
"""

import datetime as dt
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from release import building
from release.__main__ import main as build_files
from release.pythons import VERSIONS
from release.schemas import read_floors
from release.sources import ROOT

_ENTRY = re.compile(
    r"^## (\S+) \((\d{4}-\d\d-\d\d|unreleased)\)\n\n### Upgrade notes\n\n- (?=\S)", re.MULTILINE
)


def git(root: Path, *arguments: str) -> str:
    """Run git and return what it printed. Raises: BuildError if it fails."""
    return building.run(["git", "-C", root, *arguments]).strip()


def note_tested(root: Path) -> None:
    """Keep that the tests passed on this tree, if all of it is committed."""
    record = root / "build" / "tested"
    record.unlink(missing_ok=True)
    try:
        tree, changes = git(root, "rev-parse", "HEAD^{tree}"), git(root, "status", "--porcelain")
    except building.BuildError as error:
        # Tests may run where no repository is, or one that git does not trust.
        tree, changes = "", str(error)
    if changes:
        print(f"no release can be made of this run, the tree is not one commit:\n{changes}")
        return
    record.parent.mkdir(exist_ok=True)
    record.write_text(f"{tree}\n", encoding="ascii")


def read_version(root: Path) -> str:
    """Return the version of the tree, as its package has it."""
    return str(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def find_faults(root: Path, *, today: dt.date) -> Iterator[str]:
    """Yield what a release of this tree lacks."""
    version = read_version(root)
    if git(root, "status", "--porcelain"):
        yield "the tree has changes: commit them"
    record = root / "build" / "tested"
    if not record.exists() or record.read_text(encoding="ascii").strip() != git(
        root, "rev-parse", "HEAD^{tree}"
    ):
        yield "this commit did not pass the tests here: run make test"
    if f'__version__ = "{version}"\n' not in (root / "fastpay/__init__.py").read_text(encoding="utf-8"):
        yield f"fastpay/__init__.py has another version than {version}"
    entry = _ENTRY.search((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if entry is None or entry[1] != version:
        yield f"CHANGELOG.md does not begin with version {version} and its upgrade notes"
    elif entry[2] == "unreleased" or dt.date.fromisoformat(entry[2]) > today:
        yield f"CHANGELOG.md does not have the day of version {version}"
    if git(root, "tag", "--list", f"v{version}"):
        yield f"version {version} has a tag: no release is changed"


def describe(root: Path, files: Path) -> str:
    """Return the message of the tag."""
    floors = read_floors(root)
    schema = (
        f"Schema: migration {max(floors)}. Programs that know migration {max(floors.values())} work on it."
    )
    sums = (files / "SHA256SUMS").read_text(encoding="utf-8")
    return f"fastpay {read_version(root)}\n\n{schema}\nUpgrade notes: CHANGELOG.md.\n\n{sums}"


def release(root: Path, build: Callable[[], int], *, today: dt.date) -> str:
    """Build the files and make the tag; return its name. Raises: BuildError with all that is missing."""
    if faults := list(find_faults(root, today=today)):
        raise building.BuildError("\n".join(["nothing is released:", *faults]))
    if build() != 0:
        raise building.BuildError("nothing is released: the files could not be built")
    if faults := list(find_faults(root, today=today)):
        raise building.BuildError(
            "\n".join(["nothing is released, the build has changed the tree:", *faults])
        )
    name = f"v{read_version(root)}"
    # Lines of the digests begin with hexadecimal digits, and none with the comment sign.
    git(root, "tag", "--annotate", name, "--message", describe(root, root / "dist"))
    return name


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["--tested"]:
            note_tested(ROOT)
        else:
            made = release(ROOT, lambda: build_files(list(VERSIONS)), today=dt.datetime.now(dt.UTC).date())
            print(f"tagged {made}: push the tag, and publish the files in dist/")
    except building.BuildError as error:
        sys.exit(str(error))
