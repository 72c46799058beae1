"""Forms with nested names: bytes to a tree of dict, list and str."""

from typing import TypeAlias

_Value: TypeAlias = str | list[str] | dict[str, "_Value"]

class FormError(ValueError):
    """The bytes are not a valid form of this dialect.

    `message` may be shown to the client and contains nothing that was sent. `param` is the parameter's
    name, decoded but otherwise as sent, or None if it could not be read.
    """

    message: str
    param: str | None
    code: str | None
    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None: ...

def parse(body: bytes) -> dict[str, _Value]:
    """Parse `application/x-www-form-urlencoded` with bracket nesting, in time linear in its size.

    Escapes are resolved before brackets are read, so that `a%5Bb%5D` is `a[b]`. A name is a plain part and
    any number of bracketed parts:

    - `a[b]=x` stores x under "b" of the dict under "a". `a[0]=x` does the same with "0": only the
      parameter's type can tell a list element from the key "0" of a map (`metadata[2024]=x`), so
      `api/decoding.py` makes lists of such dicts.
    - `a[]=x` appends x to the list under "a", and may only end a name: in `a[][b]` and `a[][c]` the
      elements would have to be guessed.

    Empty parts between ampersands are skipped. Refused are: a field without `=` or without a name, a broken
    percent escape, a NUL, anything but UTF-8, unmatched brackets, the same name twice, a name used as two
    of value, list and object, more than `limits.form_fields_max` fields, and more than
    `limits.form_depth_max` levels (the plain part is the first).

    Raises: FormError. Source: WHATWG URL 5.1; the brackets are a fact of the dialect.
    """
