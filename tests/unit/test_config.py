"""fastpay/config.py"""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from fastpay.config import Settings, admin_port, load_settings, redact
from fastpay.errors import ConfigurationError
from fastpay.server.settings import ServerSettings


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_without_any_source_the_defaults_hold() -> None:
    assert load_settings(environment={}) == Settings()


def test_flags_win_over_the_environment_which_wins_over_the_file(tmp_path: Path) -> None:
    file = write(
        tmp_path / "f.toml", 'port = 1\nhost = "1.1.1.1"\ndata_dir = "from-file"\nlog_level = "error"'
    )
    environment = {"FASTPAY_PORT": "2", "FASTPAY_HOST": "2.2.2.2", "FASTPAY_CONFIG": "not read"}
    settings = load_settings(config=file, environment=environment, flags={"port": "3", "host": None})
    assert (settings.port, settings.host, settings.data_dir) == (3, "2.2.2.2", str(tmp_path / "from-file"))
    assert settings.log_level == "error"


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    file = write(tmp_path / "f.toml", "port = 77")
    assert load_settings(environment={"FASTPAY_CONFIG": file}).port == 77


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load_settings(environment={"FASTPAY_DATABASE_URL": "", "FASTPAY_PORT": ""}) == Settings()


def test_variables_of_others_are_not_ours() -> None:
    assert load_settings(environment={"PORT": "1", "NOT_FASTPAY_X": "1"}) == Settings()


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_booleans_are_read_from_the_environment(text: str, value: bool) -> None:
    assert load_settings(environment={"FASTPAY_REUSE_PORT": text}).reuse_port is value


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("FASTPAY_PORT", "65536", "from 0 to 65535"),
        ("FASTPAY_PORT", "http", "a whole number"),
        ("FASTPAY_PORT", "80.5", "a whole number"),
        ("FASTPAY_REUSE_PORT", "maybe", "true or false"),
        (
            "FASTPAY_DATABASE_URL",
            "mysql://x",
            "a value like postgresql://user:password@host:5432/database",
        ),
        (
            "FASTPAY_REDIS_URL",
            "localhost:6379",
            "a value like redis://host:6379/0 or unix:///run/redis.sock",
        ),
        ("FASTPAY_IDEMPOTENCY_RETENTION_HOURS", "23", "from 24"),
        ("FASTPAY_LOG_LEVEL", "loud", "one of debug, error, info, warning"),
        ("FASTPAY_DRAIN_TIMEOUT_MS", "-1", "from 0"),
        ("FASTPAY_REQUEST_LOG", "on", "one of complete, off, sampled"),
        ("FASTPAY_REQUEST_LOG_PERCENT", "101", "from 0 to 100"),
        ("FASTPAY_READER_CONNECTIONS_MAX", "0", "from 1 to 100"),
    ],
)
def test_a_bad_variable_is_refused_with_name_value_source_and_what_is_allowed(
    variable: str, value: str, allowed: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment={variable: value})
    message = str(caught.value)
    for part in (variable, variable.removeprefix("FASTPAY_").lower(), value, allowed):
        assert part in message


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ('port = "8000"', ("port", "'8000'", "a whole number from 0 to 65535")),
        ("host = 5", ("host", "5", "a non-empty text")),
        ("reuse_port = 1", ("reuse_port", "true or false")),
        ('host = ""', ("host", "a non-empty text")),
        ("prot = 1", ("prot", "did you mean port?", "known settings")),
        ("[server]\nport = 1", ("unknown setting server",)),
        ("writer_lanes = 2", ("writer_lanes", "no longer exists", "remove it")),
    ],
)
def test_a_bad_line_in_the_file_is_refused(tmp_path: Path, line: str, parts: tuple[str, ...]) -> None:
    file = write(tmp_path / "f.toml", line)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config=file, environment={})
    for part in (*parts, file):
        assert part in str(caught.value)


def test_an_unknown_variable_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"FASTPAY_DATABSE_URL.*did you mean database_url"):
        load_settings(environment={"FASTPAY_DATABSE_URL": "postgresql://x"})


def test_a_bad_flag_is_named_as_it_was_typed() -> None:
    with pytest.raises(ConfigurationError, match="--port is not allowed"):
        load_settings(environment={}, flags={"port": "-1"})


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"port = 1\nport = 2"])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        load_settings(config=str(tmp_path / "f.toml"), environment={})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load_settings(config=str(tmp_path / "none.toml"), environment={})


@pytest.mark.parametrize("flags", [{"tls_cert": "c"}, {"tls_key": "k"}])
def test_half_a_tls_pair_is_refused(flags: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="tls_cert and tls_key go together"):
        load_settings(environment={}, flags=flags)


def test_a_password_is_not_shown() -> None:
    assert redact("postgresql://me:secret@db/pay") == "postgresql://me:***@db/pay"
    assert redact("redis://:secret@h:1/0") == "redis://:***@h:1/0"
    assert redact("postgresql://me@/pay?host=/run") == "postgresql://me@/pay?host=/run"
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment={"FASTPAY_DATABASE_URL": "mysql://me:secret@db/pay"})
    assert "secret" not in str(caught.value)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]


def test_every_field_says_what_it_allows() -> None:
    for field in msgspec.structs.fields(Settings):
        with pytest.raises(ConfigurationError, match=f"setting {field.name} = .*it must be "):
            load_settings(environment={}, flags={field.name: [["a list of lists"]]})


def test_trusted_proxies_are_a_list_or_a_text_with_commas(tmp_path: Path) -> None:
    file = tmp_path / "fastpay.toml"
    file.write_text('trusted_proxies = ["10.0.0.0/8", "unix"]\n', encoding="utf-8")
    expected = ("10.0.0.0/8", "unix")
    assert load_settings(config=str(file), environment={}).trusted_proxies == expected
    environment = {"FASTPAY_TRUSTED_PROXIES": "10.0.0.0/8, unix"}
    assert load_settings(environment=environment).trusted_proxies == expected
    with pytest.raises(ConfigurationError, match="a list of non-empty texts"):
        load_settings(environment={"FASTPAY_TRUSTED_PROXIES": "a,,b"})


def test_origins_have_a_scheme_and_no_path() -> None:
    environment = {"FASTPAY_CORS_ORIGINS": "https://shop.example, http://localhost:3000"}
    expected = ("https://shop.example", "http://localhost:3000")
    assert load_settings(environment=environment).cors_origins == expected
    for value in (
        "https://shop.example/",
        "shop.example",
        "*",
        "null",
        "https://a.example https://b.example",
    ):
        with pytest.raises(ConfigurationError, match="a value like https://shop"):
            load_settings(environment={"FASTPAY_CORS_ORIGINS": value})


def test_the_public_url_has_no_slash_at_its_end() -> None:
    for value in ("https://pay.example", "http://localhost:8000/payments/api"):
        assert load_settings(environment={"FASTPAY_PUBLIC_URL": value}).public_url == value
    for value in ("https://pay.example/", "pay.example", "https://pay.example?a", "https://"):
        with pytest.raises(ConfigurationError, match="a value like https://pay"):
            load_settings(environment={"FASTPAY_PUBLIC_URL": value})


def test_the_console_has_an_origin_and_no_path() -> None:
    assert load_settings(environment={}).console_url is None
    environment = {"FASTPAY_CONSOLE_URL": "https://ops.example:8443"}
    assert load_settings(environment=environment).console_url == "https://ops.example:8443"
    for value in ("https://ops.example/", "https://ops.example/console", "ops.example", "*"):
        with pytest.raises(ConfigurationError, match="a value like https://shop"):
            load_settings(environment={"FASTPAY_CONSOLE_URL": value})


def test_every_setting_of_the_transport_that_has_a_default_of_its_own_keeps_it() -> None:
    ours, door = load_settings(environment={}), ServerSettings()
    for name in msgspec.structs.asdict(door):
        if hasattr(ours, name):
            assert getattr(ours, name) == getattr(door, name), name


def test_the_operators_port_is_free_beside_a_free_port_and_may_be_off() -> None:
    chosen: list[tuple[dict[str, Any], int | None]] = [
        ({}, 8001),
        ({"port": "0"}, 0),
        ({"unix": "a.sock"}, 0),
        ({"port": "0", "admin_port": "9001"}, 9001),
        ({"admin_port": "off"}, None),
        ({"admin_port": ""}, None),
    ]
    for flags, port in chosen:
        assert admin_port(load_settings(environment={}, flags=flags)) == port, flags


def test_networks_that_webhooks_may_be_sent_to_are_networks() -> None:
    environment = {"FASTPAY_OUTBOUND_ALLOWED_NETWORKS": "10.1.0.0/16, ::1"}
    assert load_settings(environment=environment).outbound_allowed_networks == ("10.1.0.0/16", "::1")
    with pytest.raises(ConfigurationError, match="a value like 10"):
        load_settings(environment={"FASTPAY_OUTBOUND_ALLOWED_NETWORKS": "private"})
    with pytest.raises(ConfigurationError, match="has host bits set"):
        load_settings(environment={"FASTPAY_OUTBOUND_ALLOWED_NETWORKS": "10.1.2.3/8"})


def test_an_order_is_not_taken_for_lost_while_its_call_may_last() -> None:
    chosen = {"FASTPAY_PROCESSOR_TIMEOUT_MS": "30001"}
    with pytest.raises(ConfigurationError, match=r"processor_arrival_s = 120 is too short .* 121 at least"):
        load_settings(environment=chosen)
    longer = chosen | {"FASTPAY_PROCESSOR_ARRIVAL_S": "121"}
    assert load_settings(environment=longer).processor_arrival_s == 121
    assert load_settings(environment={"FASTPAY_PROCESSOR_TIMEOUT_MS": "30000"}).processor_arrival_s == 120
    shortest = {"FASTPAY_PROCESSOR_TIMEOUT_MS": "500", "FASTPAY_PROCESSOR_ARRIVAL_S": "2"}
    with pytest.raises(ConfigurationError, match=r"processor_arrival_s = '2' .* from 3 to 3600"):
        load_settings(environment=shortest)


def test_a_request_log_that_goes_nowhere_is_refused() -> None:
    chosen = {"FASTPAY_REQUEST_LOG": "sampled", "FASTPAY_REQUEST_LOG_DAYS": "0"}
    with pytest.raises(ConfigurationError, match="request_log has nowhere to go"):
        load_settings(environment=chosen)
    assert load_settings(environment=chosen | {"FASTPAY_LOG_FORMAT": "json"}).request_log_connections == 0
    assert load_settings(environment=chosen | {"FASTPAY_REQUEST_LOG_DAYS": "1"}).request_log_connections == 1
    assert load_settings(environment={}).request_log_connections == 0
