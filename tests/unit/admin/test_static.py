"""The files that the console's pages load."""

import hashlib
import json
from importlib import resources


def test_the_files_of_htmx_are_those_of_the_manifest() -> None:
    static = resources.files("fastpay.admin.console").joinpath("static")
    manifest = json.loads(static.joinpath("manifest.json").read_text())
    assert (manifest["name"], manifest["licence"]) == ("htmx.org", "0BSD")
    others = {file.name for file in static.iterdir()} - {"manifest.json", "console.css", "passkeys.js"}
    digests = {name: hashlib.sha256(static.joinpath(name).read_bytes()).hexdigest() for name in others}
    assert digests == manifest["sha256"]
