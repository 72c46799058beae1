"""Plants one bug after another in a copy of the tree, and sees that the tests named for it go red.

`make mutants` runs all of them; ARGUMENTS='name name' only some.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.mutant import Mutant
from tests.mutants.planted import MUTANTS
from tests.support.tree import ROOT, tracked

# What pytest leaves with where tests ran and some failed; anything else is no proof.
TESTS_FAILED = 1
# A guard against a mutant that hangs. A hang is no proof either.
PATIENCE_SECONDS = 300


class NotCaught(AssertionError):
    """A planted bug that no test noticed, or a test that could not tell."""


def apply(mutant: Mutant, root: Path) -> None:
    """Plant the bug. Raises: NotCaught where its place is not there exactly once."""
    path = root / mutant.file
    source = path.read_text(encoding="utf-8")
    if source.count(mutant.old) != 1:
        raise NotCaught(f"{mutant.name}: {mutant.file} has its place {source.count(mutant.old)} times")
    path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")


def compile_again(mutant: Mutant, root: Path) -> None:
    """Compile a module into which a bug was planted. Raises: NotCaught if that is no code."""
    command = [sys.executable, "-m", "Cython.Build.Cythonize", "-3", "-i", "-X", "binding=False", mutant.file]
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    if done.returncode:
        raise NotCaught(f"{mutant.name}: {mutant.file} cannot be compiled: {done.stderr[-2000:]}")


def copy_tree(place: Path) -> Path:
    """Copy the project, with what was compiled, and return where to."""
    root = place / "tree"
    compiled = [path.relative_to(ROOT) for path in (ROOT / "fastpay/_native").glob("*.so")]
    for path in [*tracked(), *compiled]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, root / path)
    return root


def run_tests(root: Path, tests: Iterable[str]) -> "subprocess.CompletedProcess[str]":
    """Run tests in the copy, on the copy."""
    # What stands in the working directory comes before what is installed.
    shown = subprocess.run(
        [sys.executable, "-c", "import fastpay; print(fastpay.__file__)"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(shown.stdout.strip()).is_relative_to(root), shown.stdout
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def catch(mutant: Mutant) -> str:
    """Plant the bug and return the name of the test that failed. Raises: NotCaught."""
    with tempfile.TemporaryDirectory(prefix="fastpay-mutant-") as place:
        root = copy_tree(Path(place))
        apply(mutant, root)
        if mutant.file.endswith(".pyx"):
            compile_again(mutant, root)
        done = run_tests(root, mutant.tests)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    if done.returncode != TESTS_FAILED or not failed:
        raise NotCaught(
            f"{mutant.name} was not caught by {mutant.tests}:\n{done.stdout[-3000:]}{done.stderr}"
        )
    return failed[0].removeprefix("FAILED ").partition(" - ")[0]


def main() -> int:
    """Run the tests without a bug, which must pass, and then with each; say what came of it."""
    parser = argparse.ArgumentParser(description="Plant bugs in a copy of the tree and see them caught.")
    parser.add_argument("names", nargs="*", help="the bugs to plant; all of them by default")
    wanted = parser.parse_args().names
    if unknown := set(wanted) - {mutant.name for mutant in MUTANTS}:
        parser.error(f"no such bugs: {', '.join(sorted(unknown))}")
    mutants = [mutant for mutant in MUTANTS if not wanted or mutant.name in wanted]
    with tempfile.TemporaryDirectory(prefix="fastpay-mutant-") as place:
        tests = sorted({test for mutant in mutants for test in mutant.tests})
        done = run_tests(copy_tree(Path(place)), tests)
    if done.returncode != 0:
        sys.stdout.write(f"without any bug the tests fail already:\n{done.stdout[-3000:]}\n")
        return 1
    missed = 0
    for mutant in mutants:
        try:
            sys.stdout.write(f"caught  {mutant.name}: {catch(mutant)}\n")
        except (NotCaught, subprocess.TimeoutExpired) as error:
            missed += 1
            sys.stdout.write(f"MISSED  {error}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(mutants) - missed} of {len(mutants)} planted bugs were caught\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
