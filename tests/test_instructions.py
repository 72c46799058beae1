"""No hot path takes many more instructions than it did: counted, so that a busy machine does not matter."""

import shutil

import pytest

from benchmarks import instructions

_SAVED = {"one build": {instructions.YARDSTICK: 1_000, "path": 500}}


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not on the path")
def test_the_hot_paths_take_no_more_instructions_than_before() -> None:
    """Where it fails on purpose, `python -m benchmarks.instructions --save` makes the new counts the rule."""
    # Identifiers are random, and a path takes some more with some of them. What takes too many does so twice.
    found = _faults(instructions.count())
    again = {_path(fault) for fault in _faults(instructions.count())} if found else set()
    assert [fault for fault in found if _path(fault) in again] == []


def _path(fault: str) -> str:
    return fault.rsplit(":", 1)[0]


def _faults(counts: dict[str, int]) -> list[str]:
    faults = instructions.compare(counts, instructions.read_baseline(), instructions.build())
    # An event is an object and what is around it.
    if counts["a page of 100 events"] > counts["a page of 100 charges"]:
        faults.append("a page of events takes more than one of charges")
    # One request of a hundred is traced for 3 % at most, all that its thread does included, even where its
    # spans are exported alone: one of a read, and of a payment also those of the batch and of the delivery.
    # What the writer does for it is a part of the payment, too.
    written = counts["32 payments through the writer"] // 32
    for path, spans, beside in (("GET from the cache", 1, 0), ("POST to its answer", 3, written)):
        off, undrawn = counts[path], counts[f"{path}, not drawn"]
        a_trace = counts[f"{path}, drawn"] - undrawn + spans * counts["export a span"]
        taken, most = undrawn - off + 0.01 * a_trace, 0.03 * (off + beside)
        if taken > most:
            faults.append(f"tracing of {path}: {taken:,.0f} instructions, at most {most:,.0f}")
    # Followers of events are woken by their feed, and cost a commit nothing.
    followed, alone = counts["the same beside 1,000 followers"], counts["what follows a commit"]
    if followed > 1.02 * alone:
        faults.append(f"followers: {followed:,} instructions, {alone:,} without")
    return faults


def test_a_path_beyond_the_tolerance_is_named() -> None:
    within = {instructions.YARDSTICK: 1_000, "path": 529}
    assert instructions.compare(within, _SAVED, "one build") == []
    beyond = {instructions.YARDSTICK: 1_000, "path": 531}
    assert instructions.compare(beyond, _SAVED, "one build") == ["path: 531 instructions, at most 530"]


def test_on_another_build_counts_are_held_against_the_interpreters_own() -> None:
    slower = {instructions.YARDSTICK: 2_000, "path": 1_399}
    assert instructions.compare(slower, _SAVED, "another build") == []
    assert len(instructions.compare(slower | {"path": 1_401}, _SAVED, "another build")) == 1


def test_a_path_that_was_never_counted_is_named() -> None:
    new = {instructions.YARDSTICK: 1_000, "path": 500, "other": 1}
    assert instructions.compare(new, _SAVED, "one build") == ["other: no baseline (--save)"]
