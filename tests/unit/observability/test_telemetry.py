"""fastpay/observability/telemetry.py"""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from fastpay import limits
from fastpay.observability import telemetry


def render(event: str, **fields: object) -> str:
    record = logging.LogRecord("fastpay", logging.INFO, "", 0, event, None, None)
    record.fields = fields
    return telemetry.FieldFormatter().format(record)


def test_a_line_has_time_level_event_and_fields() -> None:
    assert (
        render("process_started", url="http://x", pid=1).split(" ", 1)[1]
        == "info process_started url=http://x pid=1"
    )


def test_a_value_cannot_forge_a_line() -> None:
    line = render("x", name='a b\n2026 error "stolen"')
    assert "\n" not in line
    assert line.endswith(r'''name="a b\n2026 error \"stolen\""''')


def test_a_long_value_is_cut() -> None:
    assert len(render("x", name="y" * 10_000)) < 700


def test_the_log_writes_only_what_the_level_asks_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="fastpay"):
        telemetry.log.debug("a")
        telemetry.log.info("b")
        telemetry.log.warning("c")
        telemetry.log.error("d")
    assert [record.getMessage() for record in caplog.records] == ["c", "d"]


def render_json(event: str, **fields: object) -> Any:
    record = logging.LogRecord("fastpay", logging.WARNING, "", 0, event, None, None)
    record.created = 1_790_000_000.9996
    record.fields = fields
    line = telemetry.JsonFormatter().format(record)
    assert "\n" not in line
    return json.loads(line)


def test_a_line_in_json_has_time_level_event_and_fields() -> None:
    told = render_json(
        "dependency_lost", dependency="redis", away_s=12.5, new=True, address=None, path=Path("/x")
    )
    assert told == {
        "time": "2026-09-21T14:13:21.000Z",
        "level": "warning",
        "event": "dependency_lost",
        "dependency": "redis",
        "away_s": 12.5,
        "new": True,
        "address": None,
        "path": "/x",
    }


def test_a_value_cannot_forge_a_line_in_json_and_is_bounded() -> None:
    told = render_json("x", name='a b\n{"level":"error"}\u2028', half="\ud800", long="x" * 10_000)
    assert told["name"] == 'a b\n{"level":"error"}\u2028'
    assert told["half"] == "?"
    assert len(told["long"]) == limits.log_value_chars_max + len("...")


def test_a_traceback_is_a_field_of_a_line_in_json() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        record = logging.LogRecord("fastpay", logging.ERROR, "", 0, "x_failed", None, sys.exc_info())
    told = json.loads(telemetry.JsonFormatter().format(record))
    assert told["event"] == "x_failed"
    assert told["traceback"].endswith("ValueError: no")


def test_lines_go_where_the_log_goes(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        telemetry.set_up_logging("info", is_json=True)
        telemetry.write_lines(["{}", "{}"])
        telemetry.log.info("process_started", pid=1)
    finally:
        root.handlers, root.level = before, level
    first, second, third = capsys.readouterr().err.splitlines()
    assert (first, second) == ("{}", "{}")
    assert json.loads(third)["event"] == "process_started"
