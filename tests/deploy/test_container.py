"""A container's terms without one: a root that nobody can write to, and a user whom nobody knows."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.api import open_client
from tests.support.servers import NUMBERS, SpawnServer
from tests.support.tenants import make_tenant
from tests.support.tree import ROOT

TEXT = (ROOT / "deploy/container/Containerfile").read_text(encoding="utf-8")
PAY = {"amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
# Of the files that name users, a container of this image has only those of its base.
UNNAMED = ("--ro-bind", "/dev/null", "/etc/passwd", "--ro-bind", "/dev/null", "/etc/group")


def environment_of_the_image() -> dict[str, str]:
    """Return the settings that the image has by itself."""
    (given,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", TEXT, re.MULTILINE)
    return dict(word.split("=", 1) for word in shlex.split(given.replace("\\\n", " ")))


def test_the_image_runs_as_a_user_with_a_number_and_is_checked_as_it_is_built() -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", TEXT, re.MULTILINE)
    assert all(int(number) > 0 for number in user)
    assert TEXT.index("sha256sum --check") < TEXT.index("--require-hashes") < TEXT.index("--no-deps")


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: only root can become another user")
@pytest.mark.skipif(
    shutil.which("bwrap") is None or shutil.which("setpriv") is None,
    reason="bwrap or setpriv is not installed (Debian packages bubblewrap, util-linux)",
)
def test_it_serves_with_a_read_only_root_as_a_user_without_a_name(
    spawn_server: SpawnServer, database_url: str, redis_url: str, scratch: Path
) -> None:
    # The user whom the sockets of PostgreSQL and Redis let in.
    user = (scratch / "shared" / "postgresql").stat().st_uid
    place = scratch / f"container{next(NUMBERS)}"
    place.mkdir()
    os.chown(place, user, user)
    prefix = [
        # Who becomes another user outlives its parent, unless that is the first process of a namespace.
        *("bwrap", "--die-with-parent", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc"),
        # Only the folder for the ready file can be written to.
        *("--dev", "/dev", "--ro-bind", str(scratch), str(scratch), "--bind", str(place), str(place)),
        *(*UNNAMED, *readable_python()),
        *("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"),
        *("--inh-caps=-all", "--bounding-set=-all"),
    ]
    settings = environment_of_the_image() | {
        "FASTPAY_DATABASE_URL": database_url,
        "FASTPAY_REDIS_URL": redis_url,
        "FASTPAY_HOST": "127.0.0.1",
    }
    del settings["PATH"]
    server = spawn_server(data_dir=place / "data", environment=settings, prefix=prefix)
    with open_client(server.url, make_tenant(database_url).secret) as client:
        assert client.post("/v1/payment_intents", data=PAY).json()["status"] == "succeeded"
    assert [path.name for path in place.iterdir()] == [server.ready_file.name]
    assert "WARNING" not in server.output


def readable_python() -> list[str]:
    """Return options that let others read a Python in the home of root, as a developer's may be."""
    if not Path(sys.base_prefix).is_relative_to("/root"):
        return []
    return ["--tmpfs", "/root", "--ro-bind", sys.base_prefix, sys.base_prefix]
