"""Releases of the Python SDK before 12.0.1 write booleans as True and False."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.packages import installed
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

PROGRAM = Path(__file__).with_name("old_release.py")
PATIENCE_SECONDS = 120


@pytest.mark.parametrize("release", ["5.0.0", "8.11.0", "11.6.0", "12.0.1"])
def test_an_older_release_drives_the_main_flows(server: RunningServer, tenant: Tenant, release: str) -> None:
    place = installed(f"stripe-{release}", f"stripe=={release}")
    ran = subprocess.run(
        [sys.executable, PROGRAM, server.url, tenant.secret],
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "release": release,
        "statuses": [
            "requires_confirmation",
            "requires_capture",
            *["succeeded"] * 3,
            "canceled",
        ],
        "charge": "charge",
        "received": 1500,
        "walked": True,
        "declined": "card_declined",
    }
