"""The four ways into a server: HTTP/1.1 and HTTP/2, each in plain text and over TLS."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass(frozen=True)
class Certificate:
    """A certificate that is its own authority, and its key; paths of PEM files."""

    cert: Path
    key: Path


@dataclass(frozen=True)
class Door:
    """A protocol, and whether it is encrypted. HTTP/2 in plain text begins without being asked for."""

    name: str
    is_http2: bool
    is_tls: bool

    @property
    def version(self) -> str:
        """What httpx calls the protocol."""
        return "HTTP/2" if self.is_http2 else "HTTP/1.1"

    def options(self, certificate: Certificate) -> dict[str, Any]:
        """Return what makes an httpx client come through this door and no other."""
        return {
            "http1": not self.is_http2,
            "http2": self.is_http2,
            "verify": ssl.create_default_context(cafile=certificate.cert),
            "timeout": 30,
            "trust_env": False,
        }

    def open(self, url: str, certificate: Certificate) -> httpx.Client:
        """Return a client that comes through this door."""
        return httpx.Client(base_url=url, **self.options(certificate))


HTTP1 = Door("http1", is_http2=False, is_tls=False)
HTTP1_TLS = Door("http1-tls", is_http2=False, is_tls=True)
H2C = Door("h2c", is_http2=True, is_tls=False)
H2 = Door("h2", is_http2=True, is_tls=True)
DOORS = (HTTP1, HTTP1_TLS, H2C, H2)


def make_certificate(folder: Path, name: str = "localhost") -> Certificate:
    """Make a certificate for this name and for the local addresses."""
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(made.key), "-out", str(made.cert)),
        ],
        check=True,
        capture_output=True,
    )
    return made
