"""The gate's rules once more, slowly and with regular expressions."""

import re

MORE, DONE = 0, 1

_TOKEN = rb"[!#$%&'*+\-.^`|~0-9A-Za-z]"
_TARGET = rb"[-._~!$&'()*+,;=:@/?%\[\]0-9A-Za-z]"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]"
_FIELDS = rb"(?:%b+:%b*\r\n)*" % (_TOKEN, _VALUE)


def judge(data: bytes, *, target_bytes: int, header_bytes: int, header_count: int) -> int:
    """Return the length of a legal head at the start of the data, or 0 where there is none (yet)."""
    line = rb"(?:%b|_){1,16} %b{1,%d} HTTP/1\.[01]\r\n" % (_TOKEN, _TARGET, target_bytes)
    match = re.compile(line + rb"(%b\r\n)" % _FIELDS, re.DOTALL).match(data)
    if match is None or len(match[1]) > header_bytes or match[1].count(b"\r\n") - 1 > header_count:
        return 0
    return match.end()


def judge_body(data: bytes, *, body_bytes: int, header_bytes: int, header_count: int) -> tuple[int, bytes]:
    """Return the length of a legal chunked body at the start of the data, or 0, and its content."""
    content = b""
    place = 0
    while True:
        size = re.compile(rb"([0-9a-fA-F]{1,8})\r\n").match(data, place)
        if size is None:
            return 0, b""
        length = int(size[1], 16)
        place = size.end()
        if len(content) + length > body_bytes:
            return 0, b""
        if length == 0:
            break
        content += data[place : place + length]
        if data[place + length : place + length + 2] != b"\r\n":
            return 0, b""
        place += length + 2
    trailers = re.compile(rb"(%b)\r\n" % _FIELDS, re.DOTALL).match(data, place)
    if trailers is None or len(trailers[0]) > header_bytes or trailers[1].count(b"\r\n") > header_count:
        return 0, b""
    return trailers.end(), content
