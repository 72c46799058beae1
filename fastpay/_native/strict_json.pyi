"""JSON without ambiguities: bytes to a tree of dict, list, str, int, bool and None."""

from typing import TypeAlias

_Value: TypeAlias = str | int | bool | list["_Value"] | dict[str, "_Value"] | None

class JsonError(ValueError):
    """The bytes are not JSON of this dialect.

    `message` may be shown to the client and contains nothing that was sent. `param` is the path of the
    value in bracket form (`card[number]`, `items[0]`), or None. `code` is the error's code if it has one.
    """

    message: str
    param: str | None
    code: str | None
    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None: ...

def decode(body: bytes, values_max: int = ...) -> dict[str, _Value]:
    """Decode a JSON text whose top level is an object, in time linear in its size.

    The grammar is that of RFC 8259, in UTF-8 and without a byte order mark. Also refused is what two
    readers may understand differently: an object with the same key twice (also if one is escaped), a
    fraction or an exponent, an integer beyond signed 64 bits, NUL in a string or key (also escaped), half
    of a surrogate pair (also escaped), and more than `limits.json_depth_max` nested objects and arrays.

    A text of more than `values_max` values (strings, numbers, true, false, null, objects and arrays, but
    not keys; by default `limits.json_values_max`) is refused at the bound: nothing beyond it is read, and
    no tree is made.

    Raises: JsonError. Source: RFC 8259 4, 6, 8.2; RFC 7493 2.
    """
