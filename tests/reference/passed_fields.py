"""The fields of what is passed on, plainly: what `fastpay._native.passed_fields` must agree with."""

Pairs = list[tuple[bytes, bytes]]

HOP_BY_HOP = {
    *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    *(b"http2-settings", b"proxy-authenticate", b"proxy-authorization", b"proxy-authentication-info"),
}
OF_THIS_SERVER = {
    *(b"host", b"content-length", b"expect", b"via", b"forwarded", b"x-forwarded-for", b"x-real-ip"),
    *(b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"request-id"),
}


def request_head(
    start: bytes,
    fields: Pairs,
    version: str,
    scheme: str,
    client: str | None,
    request_id: str,
    trace: tuple[str, str] | None,
) -> tuple[bytes, int | None, bool]:
    """Return the lines of a request, its length, and whether it was here before."""
    said = {name: b", ".join(values) for name, *values in _by_name(fields)}
    host, via, proto = said.get(b"host", b""), said.get(b"via"), scheme.encode()
    dropped = HOP_BY_HOP | OF_THIS_SERVER | _named(fields)
    if trace is not None:
        dropped |= {b"traceparent", b"tracestate"}
    lines = [start, b"host: " + host]
    lines.append(b"via: " + (b"" if via is None else via + b", ") + version.encode() + b" fastpay")
    lines += [name + b": " + value for name, value in fields if name not in dropped]
    if client is None:
        lines.append(b'forwarded: for=unknown;host="' + host + b'";proto=' + proto)
    else:
        address = client.encode("ascii", "replace")
        node = b'"[' + address + b']"' if b":" in address else address
        lines.append(b"forwarded: for=" + node + b';host="' + host + b'";proto=' + proto)
        lines += [
            b"x-forwarded-for: " + address,
            b"x-forwarded-host: " + host,
            b"x-forwarded-proto: " + proto,
        ]
    lines.append(b"request-id: " + request_id.encode())
    if trace is not None:
        lines += [
            name + b": " + value.encode("latin-1")
            for name, value in zip((b"traceparent", b"tracestate"), trace, strict=True)
            if value or name == b"traceparent"
        ]
    if any(character in line for line in lines for character in (b"\r", b"\n", b"\0")):
        raise ValueError("not one line")
    length = said.get(b"content-length")
    is_loop = via is not None and any(one.split()[1:2] == [b"fastpay"] for one in via.split(b","))
    return b"".join(line + b"\r\n" for line in lines), int(length) if length else None, is_loop


def answer_fields(status: int, fields: Pairs, request_id: str) -> Pairs:
    """Return the fields of an answer."""
    dropped = HOP_BY_HOP | _named(fields) | {b"fastpay-served-by", b"fastpay-request-id"}
    if status == 204:
        dropped.add(b"content-length")
    kept = [(name, value) for name, value in fields if name not in dropped]
    own = request_id.encode()
    added = [(b"via", b"1.1 fastpay"), (b"fastpay-served-by", b"legacy"), (b"fastpay-request-id", own)]
    if b"request-id" not in dict(kept):
        added.append((b"request-id", own))
    return kept + added


def _by_name(fields: Pairs) -> list[list[bytes]]:
    names = dict.fromkeys(name for name, _ in fields)
    return [[name, *(value for other, value in fields if other == name)] for name in names]


def _named(fields: Pairs) -> set[bytes]:
    """Return the fields that Connection fields name."""
    options = b",".join(value for name, value in fields if name == b"connection").lower().split(b",")
    return {option.strip() for option in options} - {b"close", b"keep-alive", b""}
