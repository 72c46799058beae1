"""HPACK by the library of that name, with the results of `fastpay._native.hpack`."""

import hpack

Fields = list[tuple[bytes, bytes]]
BROKEN, TOO_LARGE = 1, 2


class Inflater:
    """Decodes the field blocks of one connection."""

    def __init__(self, bytes_max: int, fields_max: int) -> None:
        self._decoder = hpack.Decoder(bytes_max)
        self._fields_max = fields_max

    def inflate(self, block: bytes) -> tuple[Fields, int]:
        """Return the fields of a block, and the fault."""
        try:
            fields = [(field[0], field[1]) for field in self._decoder.decode(block, raw=True)]
        except hpack.OversizedHeaderListError:
            return [], TOO_LARGE
        except (hpack.HPACKError, IndexError):
            return [], BROKEN
        return fields, TOO_LARGE if len(fields) > self._fields_max else 0
