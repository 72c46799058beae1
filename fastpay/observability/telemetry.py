"""Log lines: an event and fields."""

import logging
import sys
import time
from collections.abc import Mapping, Sequence

import msgspec

from fastpay import limits


class Log:
    """Writes events: a name from the code, and fields. No secrets, no bodies, no card data."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **fields: object) -> None:
        """Log something for developers."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Log something that happens a few times in the life of a process, never for each request."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Log something that went wrong and was handled."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Log something that an operator must act on."""
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, /, **fields: object) -> None:
        """Log a bug, with the traceback of the exception being handled."""
        self._logger.error(event, exc_info=sys.exc_info(), extra={"fields": fields})

    def _write(self, level: int, event: str, fields: Mapping[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"fields": fields})


log = Log("fastpay")


class FieldFormatter(logging.Formatter):
    """Formats a record as one line: time, level, event, key=value."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; control characters in values are escaped, so that no value can forge a line."""
        fields = getattr(record, "fields", {})
        pairs = "".join(f" {name}={_quote(value)}" for name, value in fields.items())
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        head = f"{stamp}.{int(record.msecs):03d}Z {record.levelname.lower()}"
        line = f"{head} {_clean(record.getMessage())}{pairs}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """Formats a record as one line: a JSON object with time, level, event, and the fields beside them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. JSON escapes control characters, so that no value can forge a line."""
        fields = {name: _plain(value) for name, value in getattr(record, "fields", {}).items()}
        if record.exc_info:
            fields["traceback"] = _encodable(self.formatException(record.exc_info))
        event = _encodable(record.getMessage())
        return json_line(record.created, record.levelname.lower(), event, **fields)


def json_line(moment_s: float, level: str, event: str, /, **fields: object) -> str:
    """Return a line of the log in JSON, without its end."""
    second, thousandth = divmod(round(moment_s * 1000), 1000)
    stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{thousandth:03d}Z"
    return msgspec.json.encode({"time": stamp, "level": level, "event": event, **fields}).decode()


def write_lines(lines: Sequence[str]) -> None:
    """Write lines to standard error in one piece, between those of the handler. It may block."""
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.acquire()
    try:
        handler.stream.write("".join(f"{line}\n" for line in lines))
        handler.flush()
    finally:
        handler.release()


def set_up_logging(level: str, *, is_json: bool = False) -> None:
    """Log to standard error: fastpay's lines of `level` and above, other libraries' warnings."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter() if is_json else FieldFormatter()
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("fastpay").setLevel(level.upper())


def _plain(value: object) -> object:
    """Return a value as JSON has it."""
    return value if value is None or isinstance(value, bool | int | float) else _short(value)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _short(value: object) -> str:
    text = _encodable(str(value))
    return text if len(text) <= limits.log_value_chars_max else text[: limits.log_value_chars_max] + "..."


def _quote(value: object) -> str:
    text = _short(value)
    if text.isprintable() and text and not any(sign in text for sign in ' "=\\'):
        return text
    return '"' + _clean(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _clean(text: str) -> str:
    """Escape unprintable characters, so that no text can forge a line."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
