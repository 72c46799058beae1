"""The fields of a response, for `api/sending.py`."""

Field = tuple[bytes, bytes]

def fields_of(
    content_type: bytes | None,
    body: bytes | None,
    request_id: str,
    common: Field,
    more: tuple[Field, ...],
    echoes: list[Field],
) -> list[Field]:
    """Return the fields of a response in their order: what `body` is, the request's identifier, the rest.

    There is no Content-Type if `content_type` is None, and no Content-Length if `body` is.
    """
