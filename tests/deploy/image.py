"""Builds the image and pays in it: `python -m tests.deploy.image`, part of `make soak`.

The base image is made from Debian's packages, since not every machine reaches a registry of images. buildah
builds in chroot isolation, so root needs no container runtime. The image then runs with a read-only root, as
a user without a name and without capabilities, in namespaces that bwrap makes. What a runtime would add
(seccomp, cgroups, a network of its own) does not run here.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

from fastpay import __version__
from fastpay.operations.embedded import children
from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.directory import DataDirectory
from release import building
from tests.support.api import ask, open_client
from tests.support.servers import PATIENCE_SECONDS
from tests.support.tenants import make_tenant
from tests.support.tree import ROOT

PROGRAMS = ("bwrap", "buildah", "mmdebstrap")
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
# Apart from the image's own, which the installation of packages writes anew.
AUTHORITIES_OF_PIP = "/etc/ssl/of-this-machine.crt"
PAY = {"amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
PORT = "8411"


def main() -> int:
    """Return 0 if the image was built and served a payment, 1 if a program for that is missing."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or os.geteuid() != 0 or sys.version_info[:2] != (3, 11):
        print(f"did not run: needs root, Python 3.11 and {', '.join(PROGRAMS)}")  # noqa: T201
        return 1
    with tempfile.TemporaryDirectory(prefix="fastpay-image-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        place.chmod(0o711)
        buildah = Buildah(place)
        buildah.make_base("localhost/base")
        buildah.build(make_release(place / "dist"), "localhost/base", "fastpay")
        with buildah.mounted("fastpay") as (root, config):
            print(f"the image has {size_mib(root)} MiB")  # noqa: T201
            check(root, config, place)
    return 0


class Buildah:
    """buildah with a store of its own, which ends with the folder."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._command = ("buildah", "--root", str(place / "store"), "--runroot", str(place / "run"))
        self._environment = os.environ | {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}

    def make_base(self, name: str) -> None:
        """Make the image that a Debian of packages is, which trusts the authorities of this machine."""
        archive = self._place / "base.tar"
        building.run(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", archive])
        container = self._run("from", "scratch")
        self._run("add", "--quiet", container, str(archive), "/")
        self._run("copy", "--quiet", container, AUTHORITIES, AUTHORITIES_OF_PIP)
        self._run("config", "--env", f"PIP_CERT={AUTHORITIES_OF_PIP}", container)
        self._run("commit", "--quiet", "--rm", container, name)
        archive.unlink()

    def build(self, release: Path, base: str, name: str) -> None:
        """Build the image of a release."""
        arguments = [f"--build-arg=BASE={base}", f"--build-arg=VERSION={__version__}", "--pull-never"]
        containerfile = f"--file={ROOT / 'deploy/container/Containerfile'}"
        self._run("build", *arguments, containerfile, f"--tag={name}", str(release))

    @contextlib.contextmanager
    def mounted(self, name: str) -> Iterator[tuple[Path, dict[str, object]]]:
        """Give the root of an image and its configuration for the block."""
        described = json.loads(self._run("inspect", "--type=image", name))
        container = self._run("from", "--pull-never", name)
        yield Path(self._run("mount", container)), described["OCIv1"]["config"]
        self._run("rm", container)

    def _run(self, *arguments: str) -> str:
        ran = subprocess.run(
            [*self._command, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        if ran.returncode != 0:
            sys.exit(f"buildah {arguments[0]}: {ran.stdout[-2000:]}{ran.stderr[-4000:]}")
        return ran.stdout.strip()


def make_release(place: Path) -> Path:
    """Put a wheel of this checkout, the lock and the digests into the folder, as `make wheel` does."""
    with tempfile.TemporaryDirectory(prefix="fastpay-wheel-") as name:
        wheel = building.build_server(Path(sys.executable), Path(name), is_compiled=True)
        building.repair(wheel, place, Path(sys.executable).parent)
    shutil.copyfile(building.LOCKS / "requirements.lock", place / f"fastpay-{__version__}.requirements.lock")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in place.iterdir()]
    (place / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    return place


def size_mib(root: Path) -> int:
    """Return how much the files of the image take."""
    return sum(path.lstat().st_size for path in root.rglob("*") if path.is_file()) >> 20


def check(root: Path, config: dict[str, object], place: Path) -> None:
    """Pay an instance that runs in the image, and look at what it wrote."""
    assert config["Labels"]["org.opencontainers.image.version"] == __version__  # type: ignore[index]
    with (
        DataDirectory(place / "servers") as directory,
        run_servers(directory, with_postgres=True, with_redis=True) as servers,
    ):
        servers.wait_ready()
        assert servers.database_url is not None
        assert servers.redis_url is not None
        user = (place / "servers/postgresql").stat().st_uid
        settings = dict(one.split("=", 1) for one in config["Env"])  # type: ignore[attr-defined]
        # A folder that the image has: of others bwrap makes the way there for root only.
        sockets, seen = str(place / "servers/run"), "/srv"
        settings["FASTPAY_DATABASE_URL"] = servers.database_url.replace(sockets, seen)
        settings["FASTPAY_REDIS_URL"] = servers.redis_url.replace(sockets, seen)
        # The base has no libnghttp2: without the wheel's own the instance would refuse to start.
        settings["FASTPAY_HTTP2_ENGINE"] = "native"
        variables = [word for name, value in settings.items() for word in ("--setenv", name, value)]
        command = [
            *("bwrap", "--die-with-parent", "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"),
            *("--tmpfs", "/tmp", "--ro-bind", sockets, seen, "--clearenv", *variables),
            *("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"),
            *("--inh-caps=-all", "--bounding-set=-all", *config["Entrypoint"], *config["Cmd"]),  # type: ignore[misc]
            *("--port", PORT),
        ]
        output, url = place / "output", f"http://127.0.0.1:{PORT}"
        with open(output, "wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            assert children.wait_until(
                lambda: serves(url) or process.poll() is not None, timeout_ms=PATIENCE_SECONDS * 1000
            )
            assert process.poll() is None, output.read_text(encoding="utf-8")
            secret = make_tenant(servers.database_url).secret
            with open_client(url, secret) as client:
                answer = client.post("/v1/payment_intents", data=PAY)
            assert answer.json()["status"] == "succeeded"
            print("a payment was made in the image: read-only root, a user without a name")  # noqa: T201
        finally:
            process.kill()
            process.wait()


def serves(url: str) -> bool:
    """Tell whether an instance answers there."""
    with contextlib.suppress(httpx.TransportError):
        return ask(f"{url}/readyz").status_code == 200
    return False


if __name__ == "__main__":
    sys.exit(main())
