"""What callgrind has written of a process is found, in the order in which it was written."""

from pathlib import Path

import pytest

from benchmarks import processes
from benchmarks.load.machine import Machine


def test_the_totals_of_a_process_are_read_in_the_order_of_its_dumps(tmp_path: Path) -> None:
    for number, line in ((2, "totals: 20"), (10, "summary: 30"), (1, "totals: 10")):
        (tmp_path / f"home.out.{number}").write_text(f"events: Ir\n{line}\n", encoding="utf-8")
    (tmp_path / "asked.out.1").write_text("totals: 99\n", encoding="utf-8")
    dumps = processes.dumps(Machine("", "", tmp_path), processes.HOME)
    assert [processes.total(dump) for dump in dumps] == [10, 20, 30]
    (tmp_path / "home.out.11").write_text("events: Ir\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"no total into home\.out\.11"):
        processes.total(tmp_path / "home.out.11")
