"""The fields of a response, plainly: what `fastpay._native.response_head` must agree with."""

Field = tuple[bytes, bytes]


def fields_of(
    content_type: bytes | None,
    body: bytes | None,
    request_id: str,
    common: Field,
    more: tuple[Field, ...],
    echoes: list[Field],
) -> list[Field]:
    """Return the fields in their order."""
    about_body = []
    if content_type is not None:
        about_body.append((b"content-type", content_type))
    if body is not None:
        about_body.append((b"content-length", str(len(body)).encode()))
    return [*about_body, (b"request-id", request_id.encode()), common, *more, *echoes]
