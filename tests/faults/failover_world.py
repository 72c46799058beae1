"""Three members of Patroni in network namespaces with etcd and HAProxy, as deploy/patroni sets them up."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from fastpay.operations.embedded import children
from tests.support.proxies import rewrite
from tests.support.servers import execute
from tests.support.tree import ROOT

PROGRAMS = ("patroni", "etcd", "haproxy", "ip", "setpriv")
NAMES = ("one", "two", "three")
ADDRESS = "10.213.77.1{}"
BRIDGE = "fpha"
PORT = 5987
# A guard against a hang, never a measurement.
PATIENCE_MS = 120_000


class Member:
    """A member: a namespace with an address, and Patroni with PostgreSQL in it."""

    def __init__(self, name: str, number: int, scratch: Path, *, is_strict: bool) -> None:
        self.name, self.address, self.space = name, ADDRESS.format(number), f"{BRIDGE}{number}"
        self._place = scratch / name
        self._place.mkdir()
        text = (ROOT / "deploy/patroni/patroni.yml").read_text(encoding="utf-8")
        text = text.replace("10.0.0.11", self.address)
        text = rewrite(
            text,
            {
                "name: one": f"name: {name}",
                "10.0.0.10:2379": f"{ADDRESS.format(0)}:2379",
                "/var/lib/postgresql/15/fastpay": str(self._place / "data"),
                "/var/lib/postgresql/patroni.pgpass": str(self._place / "pgpass"),
                "/var/run/postgresql": str(self._place),
            },
        ).replace("10.0.0.0/24", "10.213.77.0/24")
        if not is_strict:
            text = text.replace("synchronous_mode: true", "synchronous_mode: false")
            text = text.replace("synchronous_mode_strict: true", "synchronous_mode_strict: false")
        (self._place / "patroni.yml").write_text(text, encoding="utf-8")
        user = pwd.getpwnam("postgres")
        for path in (self._place, self._place / "patroni.yml"):
            os.chown(path, user.pw_uid, user.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None

    def connect(self) -> None:
        """Make the namespace, and a cable from it to the bridge."""
        _ip("netns", "add", self.space)
        _ip("link", "add", self.space, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        _ip("link", "set", self.space, "master", BRIDGE, "up")
        for command in ("addr add {}/24 dev eth0", "link set eth0 up", "link set lo up"):
            _ip("-n", self.space, *command.format(self.address).split())

    def start(self) -> None:
        """Start Patroni, which starts PostgreSQL."""
        user = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
        log = open(self._place / "log", "ab")  # noqa: SIM115  the process keeps it
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", self.space, *user, "patroni", str(self._place / "patroni.yml")],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self._place,
        )
        log.close()

    def kill(self) -> None:
        """End Patroni and PostgreSQL at once."""
        listed = subprocess.run(
            ["ip", "netns", "pids", self.space], capture_output=True, text=True, check=False
        )
        for pid in map(int, listed.stdout.split()):
            children.send(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def cut(self, *, is_off: bool = True) -> None:
        """Pull the cable out, or put it in again."""
        _ip("link", "set", self.space, "down" if is_off else "up")

    def cut_from(self, other: "Member", *, is_off: bool = True) -> None:
        """Let nothing through to another member, and leave all other ways open."""
        _ip("-n", self.space, "route", "add" if is_off else "del", "blackhole", f"{other.address}/32")

    def log_tail(self) -> str:
        """Return what it said last."""
        return (self._place / "log").read_text(encoding="utf-8", errors="replace")[-3000:]


class World:
    """The members, and what the others say of them."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self.database_url = f"postgresql://fastpay:of-fastpay@127.0.0.1:{PORT}/fastpay"

    def roles(self) -> dict[str, str]:
        """Return the role of each member by its name, as any member that answers knows it."""
        for member in self.members:
            with contextlib.suppress(OSError, ValueError):
                url = f"http://{member.address}:8008/cluster"
                with urllib.request.urlopen(url, timeout=2) as answer:
                    listed = json.load(answer)["members"]
                return {
                    one["name"]: one["role"] for one in listed if one["state"] in ("running", "streaming")
                }
        return {}

    def primary(self) -> Member:
        """Return the member that is the primary."""
        leaders = [member for member in self.members if self.roles().get(member.name) == "leader"]
        return leaders[0]

    def wait_whole(self, *, is_strict: bool) -> None:
        """Return once there are a primary and two standbys, of which one is synchronous if that is strict."""
        wanted = ["leader", "replica", "sync_standby"] if is_strict else ["leader", "replica", "replica"]
        done = children.wait_until(lambda: sorted(self.roles().values()) == wanted, timeout_ms=PATIENCE_MS)
        assert done, f"{self.roles()}\n" + "\n".join(member.log_tail() for member in self.members)

    def make_database(self) -> None:
        """Make the role and the database of fastpay."""
        url = f"postgresql://postgres:change-me-1@{self.primary().address}/postgres"
        execute(url, "create role fastpay login password 'of-fastpay'")
        execute(url, "create database fastpay owner fastpay")


@contextlib.contextmanager
def running_world(scratch: Path, *, is_strict: bool) -> Iterator[World]:
    """Run etcd, three members and HAProxy for the block."""
    members = [Member(name, number, scratch, is_strict=is_strict) for number, name in enumerate(NAMES, 1)]
    _ip("link", "add", BRIDGE, "type", "bridge")
    processes: list[subprocess.Popen[bytes]] = []
    try:
        _ip("addr", "add", f"{ADDRESS.format(0)}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        processes.append(_start_etcd(scratch))
        for member in members:
            member.connect()
            member.start()
        world = World(members)
        world.wait_whole(is_strict=is_strict)
        world.make_database()
        processes.append(_start_haproxy(scratch))
        assert children.wait_until(lambda: _answers(world.database_url), timeout_ms=PATIENCE_MS)
        yield world
    finally:
        for member in members:
            member.kill()
            # A namespace takes its end of a cable along, but not at once.
            _ip("link", "del", member.space, check=False)
            _ip("netns", "del", member.space, check=False)
        for process in processes:
            process.kill()
            process.wait()
        _ip("link", "del", BRIDGE, check=False)


def find_missing() -> list[str]:
    """Return the programs that are missing."""
    return [name for name in PROGRAMS if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]


def _start_etcd(scratch: Path) -> "subprocess.Popen[bytes]":
    url = f"http://{ADDRESS.format(0)}:2379"
    peer = f"http://{ADDRESS.format(0)}:2380"
    with open(scratch / "etcd.log", "wb") as log:
        return subprocess.Popen(
            [
                *("etcd", "--name", "etcd", "--data-dir", str(scratch / "etcd")),
                *("--listen-client-urls", url, "--advertise-client-urls", url),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *("--initial-cluster", f"etcd={peer}"),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _start_haproxy(scratch: Path) -> "subprocess.Popen[bytes]":
    text = (ROOT / "deploy/patroni/haproxy.cfg").read_text(encoding="utf-8")
    text = rewrite(text, {"127.0.0.1:5000": f"127.0.0.1:{PORT}"}).replace("10.0.0.1", "10.213.77.1")
    path = scratch / "haproxy.cfg"
    path.write_text(text, encoding="utf-8")
    with open(scratch / "haproxy.log", "wb") as log:
        return subprocess.Popen(["haproxy", "-db", "-f", str(path)], stdout=log, stderr=subprocess.STDOUT)


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        execute(url, "select")
        return True
    return False


def _ip(*arguments: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"ip {' '.join(arguments)}: {done.stderr}"
