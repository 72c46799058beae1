"""Settings: defaults, then a TOML file, then FASTPAY_* variables, then flags, as one frozen Struct."""

import difflib
import ipaddress
import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from fastpay import limits
from fastpay.errors import ConfigurationError

PREFIX = "FASTPAY_"
ADMIN_PORT = 8001
CONFIG_VARIABLE = "FASTPAY_CONFIG"
# Set by a running instance for the program that replaces it: `operations/predecessor.py`.
PREDECESSOR_VARIABLE = "FASTPAY_PREDECESSOR"
_NO_SETTINGS = {CONFIG_VARIABLE, PREDECESSOR_VARIABLE}

Port = Annotated[int, Meta(ge=0, le=65_535)]
AdminPort = Port | Literal["off"]
DatabaseUrl = Annotated[
    str, Meta(pattern=r"^postgres(ql)?://", examples=["postgresql://user:password@host:5432/database"])
]
RedisUrl = Annotated[
    str,
    Meta(pattern=r"^(redis|rediss|unix)://", examples=["redis://host:6379/0", "unix:///run/redis.sock"]),
]
Text = Annotated[str, Meta(min_length=1)]
HomesAddress = Annotated[
    str, Meta(pattern=r"^([^:\[\]/]+|\[[0-9a-fA-F:.]+\]):[1-9][0-9]{0,4}$", examples=["10.0.0.5:7000"])
]
Bytes = Annotated[int, Meta(ge=1_024, le=1 << 30)]
Connections = Annotated[int, Meta(ge=1, le=100)]
ScanConnections = Annotated[int, Meta(ge=2, le=100)]
Hours = Annotated[int, Meta(ge=limits.idempotency_retention_hours_min, le=24 * 365)]
DrainTime = Annotated[int, Meta(ge=0, le=600_000)]
StartTime = Annotated[int, Meta(ge=1_000, le=3_600_000)]
LogDays = Annotated[int, Meta(ge=0, le=limits.request_log_days_max)]
Percent = Annotated[int, Meta(ge=0, le=100)]
AttemptDays = Annotated[int, Meta(ge=1, le=limits.webhook_attempt_days_max)]
ArrivalTime = Annotated[int, Meta(ge=limits.processor_arrival_s_min, le=limits.processor_arrival_s_max)]
ProcessorTimeout = Annotated[int, Meta(ge=100, le=limits.processor_timeout_ms_max)]
ProcessorWait = Annotated[int, Meta(ge=0, le=limits.processor_wait_ms_max)]
InquiryTime = Annotated[int, Meta(ge=1, le=limits.processor_inquiry_s_max)]
TestDelay = Annotated[int, Meta(ge=0, le=limits.test_delay_s_max)]
CacheTime = Annotated[int, Meta(ge=0, le=60_000)]
Staleness = Annotated[int, Meta(ge=0, le=limits.read_staleness_ms_max)]
CacheBytes = Annotated[int, Meta(ge=1 << 20, le=1 << 40)]
InflightBytes = Annotated[int, Meta(ge=limits.inflight_bytes_min, le=1 << 40)]
Patience = Annotated[int, Meta(ge=100, le=3_600_000)]
ClockSkew = Annotated[int, Meta(ge=limits.clock_skew_ms_max, le=limits.clock_refused_ms_max)]
Count = Annotated[int, Meta(ge=1, le=1 << 30)]
RootPath = Annotated[str, Meta(pattern=r"^(/[^/?#]+)*$", examples=["/payments"])]
Origin = Annotated[
    str,
    Meta(pattern=r"^https?://[^/?#@,\s]+$", examples=["https://shop.example", "http://localhost:3000"]),
]
PublicUrl = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^/?#@,\s]+(/[^/?#\s]+)*$",
        examples=["https://pay.example", "https://shop.example/payments"],
    ),
]
Network = Annotated[
    str, Meta(pattern=r"^[0-9a-fA-F:.]+(/[0-9]{1,3})?$", examples=["10.1.0.0/16", "fd00::/8"])
]
ProxyUrl = Annotated[str, Meta(pattern=r"^http://[^/?#\s]+$", examples=["http://user:password@proxy:3128"])]
LegacyUrl = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^/?#@,\s]+(/[^/?#\s]+)*$",
        examples=["http://10.0.0.7:8080", "https://old.example/payments"],
    ),
]
Pattern = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.*\[\]]{1,200}$", examples=["created", "data[].url"])]
LegacyTime = Annotated[int, Meta(ge=limits.legacy_connect_ms + 1, le=600_000)]
LegacyIdle = Annotated[int, Meta(ge=0, le=600_000)]
LegacyConnections = Annotated[int, Meta(ge=1, le=10_000)]
Http2Engine = Literal["native", "h2"]
CardNumbers = Literal["allow", "refuse"]
RequestLogMode = Literal["off", "sampled", "complete"]
LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything an operator can choose. Units are in the names; docs/SETTINGS.md describes each setting.

    `data_dir` is absolute if an operator named it: a flag is relative to the working directory, a line of
    the settings file to the file's folder. A relative one is the default, or comes from the environment: it
    means another directory in another working directory.
    """

    host: Text = "127.0.0.1"
    port: Port = 8000
    unix: Text | None = None
    reuse_port: bool = False
    admin_host: Text = "127.0.0.1"
    admin_port: AdminPort | None = None
    console_url: Origin | None = None
    homes: bool = True
    homes_address: HomesAddress | None = None
    tls_cert: Text | None = None
    tls_key: Text | None = None
    data_dir: Text = ".fastpay"
    ready_file: Text | None = None
    database_url: DatabaseUrl | None = None
    replica_url: DatabaseUrl | None = None
    redis_url: RedisUrl | None = None
    sealing_key_file: Text | None = None
    transaction_pooling: bool = False
    allow_unsafe_database: bool = False
    root_path: RootPath = ""
    public_url: PublicUrl | None = None
    trusted_proxies: tuple[Text, ...] = ()
    http2: bool = True
    http2_engine: Http2Engine | None = None
    connections_max: Count = limits.connections_max
    address_connections_max: Count | None = None
    address_connections_per_second: Count = limits.address_connections_per_second
    address_handshakes_max: Count = limits.address_handshakes_max
    address_handshakes_per_second: Count = limits.address_handshakes_per_second
    inflight_bytes_max: InflightBytes = limits.inflight_bytes_max
    connection_requests_max: Count = limits.connection_requests_max
    head_timeout_ms: Patience = limits.head_timeout_ms
    body_timeout_ms: Patience = limits.body_timeout_ms
    idle_timeout_ms: Patience = limits.idle_timeout_ms
    write_timeout_ms: Patience = limits.write_timeout_ms
    drain_timeout_ms: DrainTime = limits.drain_timeout_ms
    upgrade_timeout_ms: StartTime = limits.upgrade_timeout_ms
    upgrade_drain_ms: DrainTime = limits.upgrade_drain_ms
    body_bytes_max: Bytes = limits.body_bytes_max
    contended_requests_max: Count = limits.contended_requests_max
    reader_connections_max: Connections = limits.reader_connections_max
    scan_connections_max: ScanConnections = limits.scan_connections_max
    idempotency_retention_hours: Hours = limits.idempotency_retention_hours_min
    key_cache_ms: CacheTime = limits.key_cache_ms
    clock_refused_ms: ClockSkew = limits.clock_refused_ms
    read_staleness_ms: Staleness = limits.read_staleness_ms
    cache_bytes_max: CacheBytes = limits.cache_bytes_max
    redis_copies: bool = True
    cors_origins: tuple[Origin, ...] = ()
    outbound_allowed_networks: tuple[Network, ...] = ()
    outbound_proxy: ProxyUrl | None = None
    legacy_url: LegacyUrl | None = None
    legacy_timeout_ms: LegacyTime = limits.legacy_timeout_ms
    legacy_connections_max: LegacyConnections = limits.legacy_connections_max
    legacy_idle_ms: LegacyIdle = limits.legacy_idle_ms
    rollout_ignore: tuple[Pattern, ...] = ("error.message", "error.doc_url", "error.request_log_url")
    rollout_identifiers: tuple[Pattern, ...] = ()
    rollout_timestamps: tuple[Pattern, ...] = ()
    rollout_unordered: tuple[Pattern, ...] = ()
    rollout_noise_percent: Percent = limits.comparison_noise_percent
    rollout_slow_ms: Patience = limits.guardrail_slow_ms
    webhook_attempt_days: AttemptDays = limits.webhook_attempt_days
    processor_arrival_s: ArrivalTime = limits.processor_arrival_s
    processor_timeout_ms: ProcessorTimeout = limits.processor_timeout_ms
    processor_wait_ms: ProcessorWait = limits.processor_wait_ms
    processor_inquiry_s: InquiryTime = limits.processor_inquiry_s
    raw_card_numbers: CardNumbers = "allow"
    card_numbers_in_text: CardNumbers = "allow"
    test_delay_s: TestDelay = limits.test_delay_s
    request_log: RequestLogMode = "off"
    request_log_percent: Percent = limits.request_log_percent
    request_log_days: LogDays = limits.request_log_days
    log_level: LogLevel = "info"
    log_format: LogFormat = "text"

    @property
    def request_log_connections(self) -> int:
        """The connections over which requests are kept in the database, 0 if none are."""
        is_kept = self.request_log != "off" and self.request_log_days > 0
        return limits.request_log_connections if is_kept else 0

    def __post_init__(self) -> None:
        """Refuse combinations of fields."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigurationError("tls_cert and tls_key go together: set both or neither")
        if self.request_log != "off" and self.request_log_days == 0 and self.log_format != "json":
            raise ConfigurationError(
                "request_log has nowhere to go: keep it in the database (request_log_days) or write it as "
                "lines (log_format = json)"
            )
        if self.replica_url is not None and self.read_staleness_ms == 0:
            raise ConfigurationError(
                "replica_url needs a read_staleness_ms above 0: a replica is always a little behind"
            )
        arrival_s_min = math.ceil(self.processor_timeout_ms * limits.processor_sending_part / 1_000)
        if self.processor_arrival_s < arrival_s_min:
            # An inquiry could take an order for lost whose call is still on.
            raise ConfigurationError(
                f"processor_arrival_s = {self.processor_arrival_s} is too short for processor_timeout_ms = "
                f"{self.processor_timeout_ms}: it must be {arrival_s_min} at least, "
                f"{limits.processor_sending_part} times as long"
            )
        for network in self.outbound_allowed_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ConfigurationError(
                    f"outbound_allowed_networks: {error}; give addresses or networks"
                ) from None


def load_settings(
    *,
    config: str | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Read the settings from every source, later ones win; a flag that is None was not given.

    An empty FASTPAY_* variable counts as not set. Raises: ConfigurationError with the setting, its value,
    its source and what is allowed.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    path = config or environment.get(CONFIG_VARIABLE) or None
    if path is not None:
        values |= _read_file(path)
    values |= _read_environment(environment)
    for name, value in (flags or {}).items():
        if value is not None:
            # The flag may be given without a port to turn the listener off.
            given = "off" if name == "admin_port" and value == "" else value
            converted = _convert(name, given, f"--{name.replace('_', '-')}", strict=False)
            values[name] = os.path.abspath(converted) if name == "data_dir" else converted
    return Settings(**values)


def admin_port(settings: Settings) -> int | None:
    """Return the port of the operator's listener, None if it is turned off.

    Without a setting it is 8001, and a free one for a server whose own port is chosen freely.
    """
    if settings.admin_port == "off":
        return None
    if settings.admin_port is not None:
        return settings.admin_port
    return 0 if settings.port == 0 or settings.unix is not None else ADMIN_PORT


def redact(url: str) -> str:
    """Return the URL without its password, fit for logs and messages."""
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", url)


def _read_file(path: str) -> dict[str, Any]:
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the settings file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the settings file {path} is not valid TOML: {error}") from error
    values = {name: _convert(name, value, path, strict=True) for name, value in table.items()}
    folder = os.path.dirname(os.path.abspath(path))
    return {
        name: os.path.join(folder, value) if name in _PATHS and value is not None else value
        for name, value in values.items()
    }


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for variable, value in sorted(environment.items()):
        if variable.startswith(PREFIX) and variable not in _NO_SETTINGS and value:
            name = variable.removeprefix(PREFIX).lower()
            values[name] = _convert(name, value, f"the environment variable {variable}", strict=False)
    return values


def _convert(name: str, value: Any, source: str, *, strict: bool) -> Any:
    field = _FIELDS.get(name)
    if name in _REMOVED:
        raise ConfigurationError(
            f"setting {name} from {source} no longer exists: {_REMOVED[name]}; remove it"
        )
    if field is None:
        raise ConfigurationError(f"unknown setting {name} = {_show(value)} from {source}; {_suggest(name)}")
    if name in _LISTS and isinstance(value, str) and not strict:
        value = [part.strip() for part in value.split(",")]
    try:
        return msgspec.convert(value, field, strict=strict)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"setting {name} = {_show(value)} from {source} is not allowed; it must be {_describe(name)}"
        ) from error


def _suggest(name: str) -> str:
    close = difflib.get_close_matches(name, _FIELDS, n=1)
    known = ", ".join(sorted(_FIELDS))
    return (f"did you mean {close[0]}? " if close else "") + f"known settings: {known}"


def _describe(name: str) -> str:
    """Describe the values that a field may have."""
    kind = msgspec.inspect.type_info(_FIELDS[name])
    if isinstance(kind, msgspec.inspect.UnionType):
        kind = next(part for part in kind.types if not isinstance(part, msgspec.inspect.NoneType))
    items = getattr(kind, "item_type", None)
    kind = items if isinstance(items, msgspec.inspect.Metadata) else kind
    if isinstance(kind, msgspec.inspect.Metadata):
        examples = (kind.extra_json_schema or {}).get("examples", ())
        return "a value like " + " or ".join(examples)
    match kind:
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.IntType():
            return f"a whole number from {kind.ge} to {kind.le}"
        case msgspec.inspect.VarTupleType():
            return "a list of non-empty texts"
        case msgspec.inspect.LiteralType():
            return "one of " + ", ".join(str(value) for value in kind.values)
        case _:
            return "a non-empty text"


def _show(value: Any) -> str:
    text = redact(value) if isinstance(value, str) else str(value)
    text = text if len(text) <= 200 else text[:200] + "..."
    return repr(text) if isinstance(value, str) else text


_LISTS = frozenset({"cors_origins", "outbound_allowed_networks", "trusted_proxies"})
# Settings of earlier releases, and why they were removed.
_REMOVED = {"writer_lanes": "an instance has one writer, because more did not improve throughput"}
# In a settings file these are relative to its folder.
_PATHS = frozenset({"data_dir", "ready_file", "sealing_key_file", "tls_cert", "tls_key", "unix"})
_FIELDS: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(Settings)}
