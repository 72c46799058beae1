"""HAProxy and nginx as the files in deploy/ set them up, with the addresses of a test."""

import contextlib
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from fastpay.operations.embedded import children
from tests.support.doors import Certificate
from tests.support.servers import NUMBERS, PATIENCE_SECONDS, free_port
from tests.support.tree import ROOT

HAPROXY = ROOT / "deploy/haproxy/haproxy.cfg"
NGINX = ROOT / "deploy/nginx/fastpay.conf"
# Where the examples expect instances.
INSTANCES = ("127.0.0.1:8001", "127.0.0.1:8002")
_PROGRAM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
# What a file in conf.d is included by. The worker reads the test's files.
_NGINX_MAIN = """\
user root;
worker_processes 1;
daemon off;
pid {place}/pid;
events {{ worker_connections 1024; }}
http {{ access_log off; include {place}/fastpay.conf; }}
"""


class Proxy(NamedTuple):
    """A proxy that runs: its address over TLS, and its process."""

    url: str
    process: "subprocess.Popen[bytes]"


def rewrite(text: str, addresses: dict[str, str]) -> str:
    """Return an example with other addresses, each of which it has once."""
    for usual, own in addresses.items():
        assert text.count(usual) == 1, usual
        text = text.replace(usual, own)
    return text


@contextlib.contextmanager
def running_haproxy(
    instances: Sequence[str], certificate: Certificate, scratch: Path, *, more: str = ""
) -> Iterator[Proxy]:
    """Run HAProxy before these addresses for the block; `more` is added to its last section."""
    place, port = _make_place(scratch), free_port()
    together = place / "fastpay.pem"
    together.write_bytes(certificate.cert.read_bytes() + certificate.key.read_bytes())
    text = rewrite(
        HAPROXY.read_text(encoding="utf-8"),
        {"bind :443": f"bind 127.0.0.1:{port}", "/etc/haproxy/fastpay.pem": str(together)},
    )
    path = place / "haproxy.cfg"
    path.write_text(_with_instances(text, instances) + more, encoding="utf-8")
    with _running([_find("haproxy"), "-db", "-f", str(path)], place, port) as proxy:
        yield proxy


@contextlib.contextmanager
def running_nginx(instances: Sequence[str], certificate: Certificate, scratch: Path) -> Iterator[Proxy]:
    """Run nginx before these addresses for the block."""
    place, port = _make_place(scratch), free_port()
    text = rewrite(
        NGINX.read_text(encoding="utf-8"),
        {
            "listen 443 ": f"listen 127.0.0.1:{port} ",
            "/etc/nginx/fastpay.crt": str(certificate.cert),
            "/etc/nginx/fastpay.key": str(certificate.key),
        },
    )
    (place / "fastpay.conf").write_text(_with_instances(text, instances), encoding="utf-8")
    (place / "nginx.conf").write_text(_NGINX_MAIN.format(place=place), encoding="utf-8")
    log = place / "log"
    command = [_find("nginx"), "-p", str(place), "-c", str(place / "nginx.conf"), "-e", str(log)]
    with _running(command, place, port) as proxy:
        yield proxy


def _with_instances(text: str, instances: Sequence[str]) -> str:
    """Return the example with these instances; of a second one that is missing the line is removed."""
    kept = text if len(instances) == len(INSTANCES) else re.sub(rf".*server .*{INSTANCES[1]}.*\n", "", text)
    return rewrite(kept, dict(zip(INSTANCES, instances, strict=False)))


def _make_place(scratch: Path) -> Path:
    place = scratch / f"proxy{next(NUMBERS)}"
    place.mkdir()
    return place


def _find(name: str) -> str:
    program = shutil.which(name, path=_PROGRAM_PATH)
    if program is None:
        pytest.skip(f"{name} is not installed (Debian package {name})")
    return program


@contextlib.contextmanager
def _running(command: Sequence[str], place: Path, port: int) -> Iterator[Proxy]:
    output = place / "output"
    with open(output, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        assert children.wait_until(
            lambda: process.poll() is not None or _listens(port), timeout_ms=PATIENCE_SECONDS * 1000
        )
        assert process.poll() is None, output.read_text(encoding="utf-8")
        yield Proxy(f"https://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
