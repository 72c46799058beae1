"""How many instructions does each hot path take? Counted by callgrind, so that other work does not matter.

Run: python -m benchmarks.instructions [--only TEXT] [--save]

Compares with benchmarks/instructions.json and fails where a path takes more than the tolerance beyond it;
--save writes what was counted there. Counts depend on how the interpreter was built, so each build has an
entry of its own. On a build without one the counts are scaled by what a loop of plain Python takes on both.
With --only no other path runs, so that the interpreter has met none of their types.
"""

import ctypes
import gc
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from benchmarks.hot_paths import paths
from fastpay.operations.gc import collect_less_often

ROOT = Path(__file__).parents[1]
BASELINE = ROOT / "benchmarks" / "instructions.json"
# What a path may take beyond the baseline on the build that it was saved on, and on another one.
TOLERANCE, TOLERANCE_ELSEWHERE = 0.06, 0.4
YARDSTICK = "plain Python"
_CALLS, _LONG_CALLS, _UNEVEN_CALLS = 100, 4, 8
# Callgrind takes seconds for a hundred calls of these. One call goes many times through the same code, so
# that its count varies less and the code is warm sooner.
_LONG = {
    "a scrape of the metrics",
    "encode a batch of 16 payments",
    "decide 1,024 transfers",
    "encode 1,024 transfers",
    "32 payments through the writer",
    "forward 16 payments and serve them",
    "serve 16 forwarded payments",
    "hear of 32 payments of others",
    "64 GETs from the database",
    "pass 16 reads on",
    "pass 16 payments on",
    "deliver 16 events, signed twice",
    "a page of 100 charges",
    "a page of 100 events",
}
# How many batches a call comes to differs from call to call.
_UNEVEN = {"16 payments to their answers", "16 live payments to their answers"}
_WARM_UP, _WARM_AGAIN = 30, 5
_LONG_WARM_UP, _LONG_WARM_AGAIN = 4, 1
_MARKS = Path(__file__).with_name("marks.c")


@click.command()
@click.option("--only", default="", help="Count the paths whose names contain this text.")
@click.option("--save", is_flag=True, help="Make what is counted the new baseline.")
def main(only: str, save: bool) -> None:
    """Count the instructions of the hot paths."""
    counts = count(only)
    baseline = read_baseline()
    for name, found in counts.items():
        before = baseline.get(build(), {}).get(name)
        change = f"{found / before - 1:+.1%}" if before else "new"
        click.echo(f"{name:32} {found:9,} {change:>8}")
    if save:
        saved = baseline | {build(): baseline.get(build(), {}) | counts if only else counts}
        BASELINE.write_text(json.dumps(saved, indent=2) + "\n", encoding="utf-8")
        return
    faults = compare(counts, baseline, build())
    if faults:
        raise SystemExit("\n".join(faults))


def build() -> str:
    """Return what tells builds of the interpreter apart whose counts differ."""
    return f"{sys.implementation.cache_tag} {sysconfig.get_platform()} {sysconfig.get_config_var('CC')}"


def read_baseline() -> dict[str, dict[str, int]]:
    """Return the counts that were saved, by build."""
    saved: dict[str, dict[str, int]] = json.loads(BASELINE.read_text(encoding="utf-8"))
    return saved


def compare(counts: Mapping[str, int], baseline: Mapping[str, Mapping[str, int]], built: str) -> list[str]:
    """Return what takes too many instructions."""
    own = baseline.get(built)
    saved = own if own is not None else next(iter(baseline.values()))
    tolerance = TOLERANCE if own is not None else TOLERANCE_ELSEWHERE
    scale = 1.0 if own is not None else counts[YARDSTICK] / saved[YARDSTICK]
    faults = [f"{name}: no baseline (--save)" for name in counts if name not in saved]
    for name, before in saved.items():
        bound = before * scale * (1 + tolerance)
        if name in counts and counts[name] > bound:
            faults.append(f"{name}: {counts[name]:,} instructions, at most {bound:,.0f}")
    return faults


def count(only: str = "") -> dict[str, int]:
    """Return the instructions of one call of each path whose name contains `only`.

    Raises: SystemExit without valgrind.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise SystemExit("valgrind is not installed (Debian package valgrind)")
    with tempfile.TemporaryDirectory() as folder:
        marks = Path(folder) / "marks.so"
        _run([*_compiler(), "-shared", "-fPIC", "-o", str(marks), str(_MARKS)], "the marks are not compiled")
        command = [valgrind, "--tool=callgrind", f"--callgrind-out-file={folder}/count"]
        # Imports and the first calls are most of the work, and are not counted.
        command += ["--instr-atstart=no", sys.executable, "-m", "benchmarks.instructions"]
        command += ["run", str(marks), only]
        names = json.loads(_run(command, "the paths did not run"))
        totals = [_total(Path(folder) / f"count.{number}") for number in range(1, len(names) + 1)]
    return {name: total // _calls(name) for name, total in zip(names, totals, strict=True)}


def _calls(name: str) -> int:
    if name in _UNEVEN:
        return _UNEVEN_CALLS
    return _LONG_CALLS if name in _LONG else _CALLS


def _compiler() -> list[str]:
    return str(sysconfig.get_config_var("CC")).split()


def _run(command: list[str], fault: str) -> str:
    # Hashing is counted without the instructions that only some processors have.
    environment = os.environ | {"PYTHONHASHSEED": "0", "OPENSSL_ia32cap": ":0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{fault}: {done.stderr[-2000:]}")
    return done.stdout


def _total(path: Path) -> int:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(("summary:", "totals:")):
            return int(line.split()[1])
    raise SystemExit(f"callgrind wrote no total into {path.name}")


def _yardstick() -> int:
    total = 0
    table: dict[str, int] = {}
    for number in range(200):
        total += number
        table["key"] = total
    return table["key"]


def run(marks: str, only: str) -> None:
    """Call every path between two marks whose name contains `only`; print their names."""
    mark = ctypes.PyDLL(marks)
    # As a server does: by default every few live payments have a collection in them.
    collect_less_often()
    with paths() as hot:
        found = {YARDSTICK: _yardstick, **hot}
        assert found.keys() >= _LONG | _UNEVEN
        found = {name: path for name, path in found.items() if name == YARDSTICK or only in name}
        for name, path in found.items():
            for _ in range(_LONG_WARM_UP if name in _LONG else _WARM_UP):
                path()
        mark.start_counting()
        for name, path in found.items():
            # The interpreter has met the types of other paths since.
            for _ in range(_LONG_WARM_AGAIN if name in _LONG | _UNEVEN else _WARM_AGAIN):
                path()
            # A collection that falls between two marks must not visit all that was imported.
            gc.collect()
            gc.freeze()
            calls = range(_calls(name))
            mark.count_from_here()
            for _ in calls:
                path()
            mark.write_count()
    print(json.dumps(list(found)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(sys.argv[2], sys.argv[3])
    else:
        main()
