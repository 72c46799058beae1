"""The files of the reference are those of the release that is named, and the page asks nobody else."""

import hashlib
import json
import re
from pathlib import Path

import fastpay.api.openapi.pages as pages

ASSETS = Path(pages.__file__).parent / "assets"


def test_the_files_of_swagger_ui_are_those_of_the_manifest() -> None:
    manifest = json.loads((ASSETS / "swagger-ui/manifest.json").read_text())
    assert (manifest["name"], manifest["licence"]) == ("swagger-ui-dist", "Apache-2.0")
    assert re.fullmatch(r"5\.\d+\.\d+", manifest["version"])
    files = {path.name: path for path in (ASSETS / "swagger-ui").iterdir() if path.name != "manifest.json"}
    assert "LICENSE" in files
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert digests == manifest["sha256"]


def test_the_page_names_no_other_server() -> None:
    for name in ("index.html", "page.css", "page.js"):
        assert "//" not in (ASSETS / name).read_text().replace("// Shows", "")
