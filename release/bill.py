"""The bill of materials (CycloneDX) of a wheel as it is installed, with the libraries inside of it."""

import json
import zipfile
from pathlib import Path

from release import building
from release.sources import ROOT


def write_bill(installed: Path, wheel: Path, bill: Path, tools: Path) -> None:
    """Describe the packages of an environment, and what auditwheel has put into the wheel."""
    options = ("--output-reproducible", "--pyproject", ROOT / "pyproject.toml", "--output-file", bill)
    building.run([tools / "cyclonedx-py", "environment", *options, installed])
    described = json.loads(bill.read_bytes())
    libraries = read_bundled(wheel)
    described["components"] += libraries
    own = described["metadata"]["component"]["bom-ref"]
    edges = next(one for one in described["dependencies"] if one["ref"] == own)
    references = [str(one["bom-ref"]) for one in libraries]
    edges["dependsOn"] = sorted([*edges.get("dependsOn", []), *references])
    described["dependencies"] += [{"ref": reference} for reference in references]
    bill.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def read_bundled(wheel: Path) -> list[dict[str, object]]:
    """Return the components that auditwheel's own bill in the wheel names beside the wheel itself."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/sboms/auditwheel.cdx.json"))
        found = json.loads(archive.read(name))
    own = found["metadata"]["component"]["bom-ref"]
    return [one for one in found["components"] if one["bom-ref"] != own]
