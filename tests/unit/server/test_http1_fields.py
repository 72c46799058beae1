"""The fields that are cut out of a head against those that llhttp finds in it."""

from httptools import HttpRequestParser
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.http1_wire import Wire
from tests.support.http_server import run

NAME = st.one_of(
    st.sampled_from(["accept", "User-Agent", "TRACEPARENT", "Stripe-Version", "x-forwarded-for", "Cookie"]),
    st.text("!#$%&'*+-.^`|~0123456789abczABCZ", min_size=1, max_size=12),
).map(str.encode)
VALUE = st.binary(max_size=24).map(
    lambda value: bytes(byte for byte in value if byte == 9 or 31 < byte != 127)
)
TARGET = st.text("abcXYZ019-._~/?&=+", max_size=20).map(lambda text: b"/" + text.encode())


class Collector:
    """What llhttp says of a head."""

    def __init__(self, head: bytes) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        HttpRequestParser(self).feed_data(head)

    def on_url(self, target: bytes) -> None:
        self.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))


@given(TARGET, st.lists(st.tuples(NAME, VALUE), max_size=8))
@example(b"/", [(b"A", b""), (b"a", b" \t "), (b"B", b" x \t"), (b"c", b"a:b")])
def test_every_field_is_what_llhttp_reads(target: bytes, fields: list[tuple[bytes, bytes]]) -> None:
    head = b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n"
    head += b"".join(name + b":" + value + b"\r\n" for name, value in fields) + b"\r\n"

    async def main() -> None:
        wire = Wire()
        statuses, _, handlers = wire.feed(head)
        if handlers:
            collected, scope = Collector(head), wire.scopes[0]
            assert scope["headers"] == collected.fields
            mark = b"?" if b"?" in collected.target else b""
            assert scope["raw_path"] + mark + scope["query_string"] == collected.target
        else:
            # Names that may not be repeated, and nothing else, are refused here.
            assert statuses == [400]
            assert len({name.lower() for name, _ in fields}) < len(fields)

    run(main())
