"""Settings of PostgreSQL that make payments slower are named, each by the line that mends it."""

import msgspec
import pytest

from fastpay.operations.database_findings import judge_speed
from fastpay.store.health import SpeedFacts

ADVISED = SpeedFacts(4 << 30, 900, 16 << 20, "pglz", "off", "off")


def test_settings_as_advised_are_good() -> None:
    assert judge_speed(ADVISED).state == "good"


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"max_wal_bytes": 1 << 30}, "max_wal_size = 4GB"),
        ({"checkpoint_s": 300}, "checkpoint_timeout = 15min"),
        ({"wal_buffer_bytes": 4 << 20}, "wal_buffers = 16MB"),
        ({"wal_compression": "off"}, "wal_compression = on"),
        ({"wal_init_zero": "on"}, "wal_init_zero = off"),
        ({"jit": "on"}, "jit = off"),
    ],
)
def test_each_slow_setting_is_named(changes: dict[str, object], advice: str) -> None:
    found = judge_speed(msgspec.structs.replace(ADVISED, **changes))
    assert (found.state, found.advice) == ("note", f"in postgresql.conf set {advice}, and restart")
