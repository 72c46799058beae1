"""HPACK (RFC 7541) by libnghttp2. Built only where the library's header was found."""

Fields = list[tuple[bytes, bytes]]

def linked_version() -> tuple[int, int, int]:
    """Return the version of the libnghttp2 that was loaded.

    It says nothing about patches: distributions keep the number when they mend a hole.
    """

class Deflater:
    """Compresses fields; `table_bytes_max` bounds its dynamic table, whatever the peer allows."""

    def __init__(self, table_bytes_max: int) -> None: ...
    def deflate(self, fields: Fields) -> bytes:
        """Return a field block."""

    def resize(self, table_bytes: int) -> None:
        """Apply SETTINGS_HEADER_TABLE_SIZE of the peer."""

class Inflater:
    """Decodes the field blocks of one connection, in their order."""

    def __init__(self, bytes_max: int, fields_max: int) -> None: ...
    def inflate(self, block: bytes) -> tuple[Fields, int]:
        """Return the fields of a block, and 0, 1 (it cannot be decoded) or 2 (it is too large).

        Bytes are counted as SETTINGS_MAX_HEADER_LIST_SIZE counts them (RFC 9113 6.5.2). After a fault no
        further block can be decoded.
        """
