"""The planted bugs fit the tree as it is, and some of them are caught, others on each run."""

import random
import shutil
import sys
from pathlib import Path

import pytest

from tests.mutants.mutant import Mutant
from tests.mutants.planted import MUTANTS
from tests.mutants.run import NotCaught, apply, catch
from tests.support.seeds import SEED
from tests.support.tree import ROOT

# `make mutants` plants all of them.
PLANTED_IN_A_TEST_RUN = 1


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_has_its_place_in_the_code_as_it_is(mutant: Mutant, tmp_path: Path) -> None:
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    (tmp_path / mutant.file).parent.mkdir(parents=True)
    shutil.copy(ROOT / mutant.file, tmp_path / mutant.file)
    apply(mutant, tmp_path)
    changed = (tmp_path / mutant.file).read_text(encoding="utf-8")
    assert changed != source
    if mutant.file.endswith(".py"):
        # A bug that cannot even be loaded would be caught by anything.
        compile(changed, mutant.file, "exec")


def test_some_planted_bugs_are_caught() -> None:
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    for mutant in random.Random(SEED).sample(MUTANTS, PLANTED_IN_A_TEST_RUN):
        sys.stdout.write(f"caught {mutant.name}: {catch(mutant)}\n")


def test_what_no_test_notices_is_said_to_be_missed() -> None:
    harmless = Mutant(
        "harmless",
        "fastpay/engine/write/idempotency.py",
        '"""Digests of',
        '"""The digests of',
        ("tests/unit/engine/write/test_idempotency.py",),
    )
    with pytest.raises(NotCaught, match="harmless was not caught"):
        catch(harmless)
    with pytest.raises(NotCaught, match="0 times"):
        catch(harmless._replace(old="no such line"))
