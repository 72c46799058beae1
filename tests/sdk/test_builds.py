"""A client that is kept in the checkout is the one that its lock file describes now."""

from pathlib import Path

import pytest

from tests.support import builds


def test_what_is_kept_is_made_anew_if_its_source_changes_or_it_was_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds, "_KEPT", tmp_path / "kept")
    source = tmp_path / "source"
    source.mkdir()
    made: list[str] = []

    def make(place: Path) -> None:
        made.append((place / "lock").read_text())
        if made[-1] == "broken":
            pytest.skip("not to be had")

    def build(lock: str) -> Path:
        (source / "lock").write_text(lock)
        return builds.built("client", source, make)

    first = build("1")
    assert build("1") == first
    with pytest.raises(pytest.skip.Exception):
        build("broken")
    assert (build("2") / "lock").read_text() == "2"
    with pytest.raises(pytest.skip.Exception):
        build("broken")
    assert made == ["1", "broken", "2", "broken"]
    assert [path.name for path in (tmp_path / "kept").iterdir() if path.is_dir()] == []
