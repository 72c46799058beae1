"""JSON without its ambiguities: bytes to a tree of dict, list, str, int, bool and None."""

from typing import TypeAlias

_Value: TypeAlias = str | int | bool | list["_Value"] | dict[str, "_Value"] | None

class JsonError(ValueError):
    """The bytes are no JSON of this dialect.

    `message` is fit for the client and holds nothing that was sent; `param` is the path of the value
    concerned in bracket form (`card[number]`, `items[0]`), None where the text has none; `code` is the
    error's code where it has one.
    """

    message: str
    param: str | None
    code: str | None
    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None: ...

def decode(body: bytes, values_max: int = ...) -> dict[str, _Value]:
    """Decode a JSON text whose top level is an object, in time linear in its size.

    The grammar is that of RFC 8259, in UTF-8 and without a byte order mark. Refused beside it, since
    two readers may understand them differently: an object with the same key twice (also where one is
    escaped), a fraction or an exponent anywhere, an integer beyond signed 64 bit, NUL in a string or
    key (also escaped), half of a surrogate pair (also escaped), and more than
    `limits.json_depth_max` objects and arrays inside one another.

    A text of more than `values_max` values (strings, numbers, true, false, null, objects and arrays, but not
    keys; by default `limits.json_values_max`) is refused where the bound is passed: nothing behind that is
    read, and no tree is made.

    Raises: JsonError.
    Source: RFC 8259 4, 6, 8.2; RFC 7493 2.
    """
