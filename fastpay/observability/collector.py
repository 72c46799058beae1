"""Sends encoded spans to a collector: OTLP over HTTP/1.1, on one connection that is kept.

It is written on a socket, since any client takes more than a traced request may cost in all: `http.client`
342,000 instructions a request, urllib3 833,000, requests (the SDK's) 3,226,000, this 23,000. It does as
little as that: POST, one request at a time, and of an answer the status, Retry-After and a body of known
length. After any other answer it closes the connection.
"""

import gzip
import math
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from fastpay import __version__, limits
from fastpay.errors import ConfigurationError

# OTLP 1.x, "Retryable Response Codes".
_RETRYABLE = frozenset((429, 502, 503, 504))
_DEFAULT = "http://localhost:4318"


class SendFailed(Exception):
    """The collector did not take the spans. Its text is the reason."""

    def __init__(self, reason: str, *, is_retryable: bool, retry_after_s: int = 0) -> None:
        super().__init__(reason)
        self.is_retryable = is_retryable
        self.retry_after_s = retry_after_s


class _Closed(Exception):
    """The connection was closed before the first byte of an answer."""


class CollectorSettings(NamedTuple):
    """Where a collector is, and how it is asked, as the OTEL_EXPORTER_OTLP_* variables say."""

    url: str
    headers: Mapping[str, str] = {}
    timeout_s: float = limits.trace_collector_timeout_ms / 1000
    is_compressed: bool = False
    certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None


class Collector:
    """A collector. One thread uses it. `connect` takes an address and a timeout."""

    def __init__(
        self,
        settings: CollectorSettings,
        *,
        connect: Callable[[tuple[str, int], float], socket.socket] = socket.create_connection,
    ) -> None:
        """Load the certificates, if there are any. Raises: ConfigurationError."""
        where = urlsplit(settings.url)
        self._is_compressed = settings.is_compressed
        self._timeout_s = settings.timeout_s
        self._host = where.hostname or ""
        self._port = where.port or (443 if where.scheme == "https" else 80)
        self._tls = _open_tls(settings) if where.scheme == "https" else None
        self._connect_to = connect
        self._socket: socket.socket | None = None
        self._deadline_s = 0.0
        path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        headers = {
            "host": where.netloc.rpartition("@")[2],
            "user-agent": f"fastpay/{__version__}",
            "content-type": "application/x-protobuf",
            **({"content-encoding": "gzip"} if settings.is_compressed else {}),
            **settings.headers,
        }
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        self._head = "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"content-length: "

    def send(self, body: bytes) -> bytes:
        """Send spans, and return the body of the answer. Raises: SendFailed."""
        if self._is_compressed:
            body = gzip.compress(body, compresslevel=1)
        request = b"%b%d\r\n\r\n%b" % (self._head, len(body), body)
        was_kept = self._socket is not None
        try:
            try:
                return self._ask(request)
            except _Closed:
                if not was_kept:
                    raise
                # The collector closed a connection that was idle. OTLP allows for spans that come twice.
                self.close()
                return self._ask(request)
        except _Closed as error:
            self.close()
            raise SendFailed("the connection was closed without an answer", is_retryable=True) from error
        except OSError as error:
            self.close()
            raise SendFailed(str(error) or type(error).__name__, is_retryable=True) from error
        except ValueError as error:
            self.close()
            raise SendFailed("the answer is not HTTP/1.1", is_retryable=False) from error

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, request: bytes) -> bytes:
        if self._socket is None:
            self._socket = self._connect()
        self._deadline_s = time.monotonic() + self._timeout_s
        try:
            self._socket.sendall(request)
            head, rest = self._read_head(b"")
            while head[9:10] == b"1":
                # An interim answer (RFC 9110 15.2).
                head, rest = self._read_head(rest)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _Closed from error
        if not head.startswith(b"HTTP/1."):
            raise ValueError("no answer of HTTP/1")
        status, names = int(head[9:12]), head.lower()
        size = _value(names, b"content-length")
        is_kept = size.isdigit() and head.startswith(b"HTTP/1.1")
        if is_kept and b"\r\ntransfer-encoding:" not in names and b"\r\nconnection:" not in names:
            body = self._read_body(rest, int(size))
        else:
            # Not worth the code to read on.
            self.close()
            body = b""
        if 200 <= status < 300:
            return body
        raise SendFailed(
            f"the collector answered with {status}",
            is_retryable=status in _RETRYABLE,
            retry_after_s=_retry_after(_value(names, b"retry-after")),
        )

    def _connect(self) -> socket.socket:
        # The timeout is of each step from now on.
        made = self._connect_to((self._host, self._port), self._timeout_s)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made if self._tls is None else self._tls.wrap_socket(made, server_hostname=self._host)

    def _read_head(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the head of an answer, and what was read behind it."""
        head, end, rest = data.partition(b"\r\n\r\n")
        while not end:
            if len(data) > limits.trace_answer_bytes_max:
                raise ValueError("the head is too long")
            data += self._read(is_first=not data)
            head, end, rest = data.partition(b"\r\n\r\n")
        return head, rest

    def _read_body(self, data: bytes, size: int) -> bytes:
        if size > limits.trace_answer_bytes_max:
            self.close()
            return b""
        while len(data) < size:
            data += self._read(is_first=False)
        return data[:size]

    def _read(self, *, is_first: bool) -> bytes:
        assert self._socket is not None
        data = self._socket.recv(4_096)
        if not data:
            if is_first:
                raise _Closed
            raise ConnectionError("the connection was closed within an answer")
        if not is_first and time.monotonic() > self._deadline_s:
            # Each step was in time, but there were too many.
            raise TimeoutError("the collector did not answer in time")
        return data


def read_settings(environment: Mapping[str, str]) -> CollectorSettings:
    """Return what the standard variables say. Those for traces come before those for all signals.

    Raises: ConfigurationError.
    """

    def read(name: str) -> str:
        found = environment.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or environment.get(
            f"OTEL_EXPORTER_OTLP_{name}"
        )
        return (found or "").strip()

    url = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip()
    if not url:
        url = (environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip() or _DEFAULT).removesuffix(
            "/"
        ) + "/v1/traces"
    compression = read("COMPRESSION").lower() or "none"
    if compression not in ("none", "gzip"):
        raise _refuse("COMPRESSION", compression, "none or gzip")
    return CollectorSettings(
        _check_url(url),
        _read_headers(read("HEADERS")),
        _read_timeout(read("TIMEOUT")),
        compression == "gzip",
        read("CERTIFICATE") or None,
        read("CLIENT_CERTIFICATE") or None,
        read("CLIENT_KEY") or None,
    )


def _check_url(url: str) -> str:
    try:
        where = urlsplit(url)
        is_valid = where.scheme in ("http", "https") and bool(where.hostname) and where.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or not url.isascii() or not url.isprintable() or " " in url:
        raise _refuse("ENDPOINT", url, "an http or https URL")
    return url


def _read_headers(text: str) -> dict[str, str]:
    """Return headers of the form `name=value,name=value`, with encoded values (W3C Baggage)."""
    headers = {}
    for pair in filter(None, (one.strip() for one in text.split(","))):
        name, sign, value = pair.partition("=")
        name, value = unquote(name.strip()), unquote(value.strip())
        if not sign or not name or not (name + value).isascii() or not (name + value).isprintable():
            # The value may be a secret.
            raise _refuse("HEADERS", "***", "name=value pairs")
        headers[name.lower()] = value
    return headers


def _read_timeout(text: str) -> float:
    if not text:
        return limits.trace_collector_timeout_ms / 1000
    try:
        # Seconds, as the SDK for Python reads it.
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise _refuse("TIMEOUT", text, "a number of seconds")
    return seconds


def _refuse(name: str, value: str, allowed: str) -> ConfigurationError:
    return ConfigurationError(
        f"setting OTEL_EXPORTER_OTLP_{name} = {value!r} is not allowed; it must be {allowed}"
    )


def _open_tls(settings: CollectorSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.certificate)
        if settings.client_certificate is not None:
            context.load_cert_chain(settings.client_certificate, settings.client_key)
    except OSError as error:
        names = (settings.certificate, settings.client_certificate, settings.client_key)
        files = ", ".join(name for name in names if name is not None)
        raise ConfigurationError(
            f"the certificates for traces cannot be loaded ({files}): {error}"
        ) from error
    return context


def _value(head: bytes, name: bytes) -> bytes:
    """Return the value of a header, in lower case like the head, and nothing if it is not there."""
    return head.partition(b"\r\n%b:" % name)[2].partition(b"\r\n")[0].strip()


def _retry_after(value: bytes) -> int:
    return min(int(value), limits.trace_retry_ms_max // 1000) if value.isdigit() and len(value) < 10 else 0
