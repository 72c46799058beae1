"""Forms with nested names: bytes to a tree of dict, list and str."""

from typing import TypeAlias

_Value: TypeAlias = str | list[str] | dict[str, "_Value"]

class FormError(ValueError):
    """The bytes are no form of this dialect.

    `message` is fit for the client and holds nothing that was sent; `param` is the name concerned,
    decoded but otherwise as it was sent, and None where it could not be read.
    """

    message: str
    param: str | None
    code: str | None
    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None: ...

def parse(body: bytes) -> dict[str, _Value]:
    """Parse `application/x-www-form-urlencoded` with bracket nesting, in time linear in its size.

    Escapes are resolved before brackets are read, so that `a%5Bb%5D` is `a[b]`. A name is a plain
    part and any number of bracketed ones:

    - `a[b]=x` puts x under "b" of the dict under "a". A numbered element, `a[0]=x`, does the same
      with "0": whether it belongs to a list or is the key "0" of a map (`metadata[2024]=x`) only
      the parameter's type can tell, so that `api/decoding.py` makes the lists of these.
    - `a[]=x` appends x to the list under "a", and may only end a name: which element `a[][b]` and
      `a[][c]` belong to would have to be guessed.

    Empty stretches between ampersands are skipped. Refused are: a field without `=` or without
    a name, a broken percent escape, a NUL, anything but UTF-8, brackets that do not match, the same
    name twice, a name used as two of value, list and object, more than `limits.form_fields_max`
    fields and more than `limits.form_depth_max` levels (the plain part is the first).

    Raises: FormError.
    Source: WHATWG URL 5.1; the brackets are a fact of the dialect.
    """
