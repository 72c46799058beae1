"""An interpreter that was built without profile-guided optimization is named."""

import pytest

from fastpay.operations import interpreter


@pytest.mark.parametrize(
    ("arguments", "prefix", "expected"),
    [
        ("'--prefix=/opt' '--enable-optimizations' '--with-lto'", "/opt", True),
        ("'--prefix=/opt'", "/opt", False),
        ("", "/usr/local", False),
        # Debian's, which does not say so.
        ("'--prefix=/usr'", "/usr", True),
    ],
)
def test_an_optimized_build_is_told_from_another(arguments: str, prefix: str, expected: bool) -> None:
    assert interpreter.is_optimized(arguments, prefix) is expected


@pytest.mark.parametrize(("optimized", "state"), [(True, "good"), (False, "note")])
def test_only_a_slower_build_is_worth_a_note(
    optimized: bool, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreter, "is_optimized", lambda: optimized)
    found = interpreter.check_interpreter()
    assert found.state == state
    assert ("without PGO" in found.seen) is not optimized
    assert ("--enable-optimizations" in found.advice) is not optimized
