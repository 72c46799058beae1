"""What the garbage collector is spared, and that it may be."""

import gc
import importlib
import pkgutil
from collections.abc import Iterator

import msgspec
import pytest

from fastpay import api, domain, limits
from fastpay.api import resources
from fastpay.api.context import Call, Reply
from fastpay.config import Settings
from fastpay.engine import ports
from fastpay.errors import ConfigurationError
from fastpay.operations import process
from fastpay.operations.gc import spare


def _structs() -> Iterator[type[msgspec.Struct]]:
    for package in (domain, api):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)
    todo: list[type[msgspec.Struct]] = [msgspec.Struct]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        if kind.__module__.startswith((domain.__name__, resources.__name__, ports.__name__)):
            yield kind
    yield from (Call, Reply)


@pytest.mark.parametrize("kind", sorted(_structs(), key=str), ids=lambda kind: kind.__qualname__)
def test_what_never_changes_cannot_hold_itself_and_is_not_looked_at(kind: type[msgspec.Struct]) -> None:
    config = kind.__struct_config__
    assert config.gc == (not config.frozen)


@pytest.fixture
def threshold() -> Iterator[tuple[int, int, int]]:
    """The interpreter's own threshold, for one test."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield limits.young_objects_max, 10, 10
    gc.set_threshold(*before)


def test_a_start_looks_less_often(threshold: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the heavy imports: what comes first after this is refused here."""

    def refuse(*_: object, **__: object) -> None:
        raise ConfigurationError("refused")

    monkeypatch.setattr(process, "require_all", refuse)
    monkeypatch.setattr("faulthandler.enable", lambda: None)
    with pytest.raises(ConfigurationError):
        process.run(Settings())
    assert gc.get_threshold() == threshold


def test_a_server_that_has_started_looks_less_often_and_not_at_its_start(
    threshold: tuple[int, int, int],
) -> None:
    spare()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == threshold
