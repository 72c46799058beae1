"""fastpay/observability/telemetry.py"""

import logging

import pytest

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
