"""What a wheel must contain, and what it must not: compared with the tree that it was built from."""

import re
import zipfile
from pathlib import Path

from release.sources import DOCUMENTS, packaged

# The oldest distribution that is promised: RHEL 8, Debian 10 and all that is newer.
GLIBC_MAX = (2, 28)
# Where the wheel has the documents.
_DOCUMENTS = r"^fastpay-[^/]+\.data/data/share/doc/fastpay/"
# What only a build needs.
_SOURCES = (".pyx", ".pxd", ".c", ".h")
# All of them are in a wheel, or none: they are built only where the header of libnghttp2 is.
_WITH_LIBNGHTTP2 = {
    f"fastpay/_native/{name}.pyx" for name in ("hpack", "http2_codec", "http2_control", "http2_streams")
}
# Where auditwheel puts the library. The digest in its name keeps it apart from any other copy in the process.
_BUNDLED = re.compile(r"fastpay\.libs/libnghttp2-[0-9a-f]{8}\.so\.14[.0-9]*$")


def find_faults(wheel: Path, *, is_released: bool = True) -> list[str]:
    """Return what is missing in a wheel of the server, what is too much, and what its tag should not say.

    One that no auditwheel has seen is tagged for this machine only: `is_released` is False.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    number = wheel.name.split("-")[2].removeprefix("cp")
    inside = {
        re.sub(rf"\.cpython-{number}-[\w-]+\.so$", ".pyx", re.sub(_DOCUMENTS, "", name))
        for name in names
        if ".dist-info/" not in name and not name.endswith(_SOURCES)
    }
    expected = {*DOCUMENTS, *(str(path) for path in packaged())}
    bundled = {name for name in inside if _BUNDLED.match(name)} if is_released else set()
    inside -= bundled
    if not inside & _WITH_LIBNGHTTP2:
        expected -= _WITH_LIBNGHTTP2
    faults = [f"{name} is missing" for name in sorted(expected - inside)]
    if is_released and len(bundled) != 1:
        faults.append(f"{len(bundled)} copies of libnghttp2 are bundled, not 1: is libnghttp2-dev installed?")
    faults += [f"{name} is too much" for name in sorted(inside - expected)]
    faults += [f"{name} is a source" for name in names if name.endswith(_SOURCES)]
    faults += [f"{name} is in it twice" for name in sorted(set(names)) if names.count(name) > 1]
    return faults + (_tag_faults(wheel) if is_released else [])


def glibc_of(wheel: Path) -> tuple[int, int]:
    """Return the oldest glibc that a tag of the wheel promises; (0, 0) without one."""
    found = [(int(major), int(minor)) for major, minor in re.findall(r"manylinux_(\d+)_(\d+)_", wheel.name)]
    return min(found, default=(0, 0))


def _tag_faults(wheel: Path) -> list[str]:
    glibc = glibc_of(wheel)
    if glibc == (0, 0):
        return [f"{wheel.name} has no tag manylinux"]
    if glibc > GLIBC_MAX:
        return [f"{wheel.name} needs glibc {glibc[0]}.{glibc[1]}"]
    return []
