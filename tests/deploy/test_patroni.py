"""The files for Patroni are ones that the programs accept; `python -m tests.faults.failover` runs them."""

import shutil
import subprocess

import pytest

from tests.support.tree import ROOT

PLACE = ROOT / "deploy/patroni"
MEMBERS = ("10.0.0.11", "10.0.0.12", "10.0.0.13")


@pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="haproxy is not installed (Debian package haproxy)"
)
def test_haproxy_accepts_the_way_to_the_primary() -> None:
    command = ["haproxy", "-c", "-q", "-f", str(PLACE / "haproxy.cfg")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_no_failover_of_the_example_loses_a_payment() -> None:
    member = (PLACE / "patroni.yml").read_text(encoding="utf-8")
    assert "synchronous_mode: true" in member
    assert "synchronous_mode_strict: true" in member
    assert "maximum_lag_on_failover" not in member
    proxy = (PLACE / "haproxy.cfg").read_text(encoding="utf-8")
    assert [f"{address}:5432" in proxy for address in MEMBERS] == [True] * len(MEMBERS)
