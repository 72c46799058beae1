"""The connections between instances: who gets in, and what becomes of frames."""

import asyncio
import contextlib
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import cast

import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.config import Settings
from fastpay.engine.homes.membership import Membership
from fastpay.engine.homes.ports import OwnWriter
from fastpay.engine.read.reader import Reader
from fastpay.errors import ConfigurationError
from fastpay.operations.homes import open_homes
from fastpay.server.frames import FrameNetwork, FrameWire
from fastpay.server.member_tls import create_contexts
from fastpay.store.members import PostgresMembers
from fastpay.store.reads import PostgresReads
from fastpay.store.sealing import Vault, make_key
from tests.support.servers import PATIENCE_SECONDS, free_port

OLD, NEW, OTHER = ({name: name[0].encode() * 32} for name in ("old", "new", "stranger"))


class Home:
    """One that listens, and notes what it hears."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.wires: list[FrameWire] = []

    def accept(self, wire: FrameWire) -> None:
        """Answer each frame with itself."""
        self.wires.append(wire)

        def receive(frame: bytes) -> None:
            self.frames.put_nowait(frame)
            wire.send(frame)

        wire.received = receive


@asynccontextmanager
async def listening(name: str, secrets: dict[str, bytes] | None = None) -> AsyncIterator[tuple[Home, str]]:
    """Listen by a Unix socket, and with secrets by TLS as well."""
    home, address = Home(), f"127.0.0.1:{free_port()}"
    tls = None if secrets is None else lambda: create_contexts(secrets)
    network = FrameNetwork(name, address=address if tls else None, tls=tls)
    await network.listen(home.accept)
    try:
        yield home, address
    finally:
        for wire in home.wires:
            wire.abort()
        await network.close()


async def ask(wire: FrameWire, frames: list[bytes]) -> list[bytes]:
    """Return what comes back, up to the end of the connection."""
    answers: list[bytes] = []
    done = asyncio.Event()

    def receive(frame: bytes) -> None:
        answers.append(frame)
        if len(answers) == len(frames):
            done.set()

    wire.received, wire.lost = receive, done.set
    for frame in frames:
        wire.send(frame)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await done.wait()
    wire.abort()
    return answers


def client(secrets: dict[str, bytes] | None) -> FrameNetwork:
    """Return a network that only asks."""
    return FrameNetwork("unused", tls=None if secrets is None else lambda: create_contexts(secrets))


async def test_frames_of_any_size_arrive_whole_and_in_order_on_one_host_and_between_hosts() -> None:
    name = f"fastpay-test-{os.getpid()}"
    frames = [b"", b"a", os.urandom(1 << 20), b"b" * 70_000, b"c"]
    async with listening(name, OLD) as (_, address):
        assert await ask(await client(None).connect(name, None), frames) == frames
        assert await ask(await client(OLD).connect("nobody", address), frames) == frames


@pytest.mark.parametrize(
    ("own", "theirs", "is_let_in"),
    [
        (OLD, OLD, True),
        (NEW | OLD, OLD, True),
        (OLD, NEW | OLD, True),
        (OLD, OTHER, False),
        (NEW, OLD, False),
    ],
    ids=["same", "asker has a newer key", "home has a newer key", "stranger", "no key in common"],
)
async def test_between_hosts_only_who_has_a_sealing_key_in_common_is_heard(
    own: dict[str, bytes], theirs: dict[str, bytes], is_let_in: bool
) -> None:
    async with listening(f"fastpay-test-{os.getpid()}", theirs) as (home, address):
        try:
            answers = await ask(await client(own).connect("nobody", address), [b"frame"])
        except (OSError, ssl.SSLError):
            answers = []
        assert answers == ([b"frame"] if is_let_in else [])
        assert home.frames.empty() != is_let_in


async def test_without_a_certificate_nothing_is_heard_and_without_a_key_nobody_is_asked() -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with listening(f"fastpay-test-{os.getpid()}", OLD) as (home, address):
        host, _, port = address.rpartition(":")
        for context in (None, trusting):
            reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
            writer.write(b"\0\0\0\1x")
            with contextlib.suppress(OSError):
                writer.write_eof() if context is None else await writer.drain()
            with contextlib.suppress(OSError):
                assert b"x" not in await reader.read()
            writer.transport.abort()
        assert home.wires == []
        with pytest.raises(ConnectionRefusedError):
            await client(None).connect("nobody", address)


async def test_a_frame_that_is_too_long_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "home_frame_bytes_max", 10)
    name = f"fastpay-test-{os.getpid()}"
    async with listening(name) as (home, _):
        assert await ask(await client(None).connect(name, None), [b"x" * 11, b"y"]) == []
        assert home.frames.empty()


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can be another user"
)
async def test_another_user_of_the_host_is_not_heard() -> None:
    name = f"fastpay-test-{os.getpid()}"
    script = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(60);"
        f"s.connect(chr(0) + {name!r}); s.sendall(bytes([0, 0, 0, 1, 65])); print(s.recv(9))"
    )
    async with listening(name) as (home, _):
        process = await asyncio.create_subprocess_exec(
            *("setpriv", "--reuid=65534", "--clear-groups", shutil.which("python3") or sys.executable, "-c"),
            script,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert home.frames.empty(), output
        assert b"A" not in output


async def test_an_address_that_cannot_be_had_or_is_not_safe_stops_the_start() -> None:
    stray = Settings(homes_address="203.0.113.1:7000")
    moments = cast(PostgresMembers, None)
    parts = (
        Membership(moments, cast(PostgresReads, None), clock=SystemClock()),
        cast(OwnWriter, SimpleNamespace(admit=1, submit=1, put=1)),
    )
    follower = cast(Reader, SimpleNamespace(show=1))
    with pytest.raises(ConfigurationError, match="needs a sealing key"):
        await open_homes(stray, *parts, follower, SystemClock(), None)
    vault = Vault([make_key(SystemClock())], clock=SystemClock())
    with pytest.raises(ConfigurationError, match=r"cannot listen on homes_address 203.0.113.1:7000"):
        await open_homes(stray, *parts, follower, SystemClock(), vault)
