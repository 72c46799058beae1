"""Structs to JSON by a template: what `api/layout.py` makes of a shape."""

from typing import Any, final

@final
class Template:
    """What renders the structs of one type, put together piece by piece from the first byte to the last.

    Whether the pieces make JSON is up to who puts them. What fields hold is written exactly as
    `msgspec.json.encode` writes it. A `path` is the name of a field, or of a part that is always there, a
    dot and the name of a field of it.

    Raises, from each method that names a field: TypeError where there is none.
    """

    def __init__(self, struct_type: type) -> None: ...
    def put(self, text: bytes) -> None:
        """Put bytes as they are."""

    def put_field(self, path: str) -> None:
        """Put what a field holds: None, a bool, a signed 64-bit int, a text, a map or a tuple of texts."""

    def put_slot(self, path: str) -> None:
        """Put what a field holds, or unless that is None, what `render` is given to be shown in its place."""

    def put_mode(self) -> None:
        """Put whether it is live mode."""

    def put_part(self, name: str, template: Template) -> None:
        """Put what a template makes of the struct in a field, or null where the field holds None."""

    def put_when(self, path: str, wanted: str | None, then: Template, otherwise: Template) -> None:
        """Put what one of two templates makes of the same struct.

        It is the first one where the field is the wanted text; where none is wanted, unless it is None or
        false.
        """

    def put_choice(self, path: str, texts: dict[str, bytes], otherwise: Template) -> None:
        """Put bytes by the text in a field, or where it is none of those what another template makes."""

    def put_whether_same(self, path: str, other: str) -> None:
        """Put whether two fields hold the same number."""

    def render(self, stored: Any, livemode: bool, whole: bytes | None = None) -> bytes:
        """Return what the template makes of a struct. `whole` goes into its slot as it is, where it has one.

        Raises: TypeError for a struct of another type, or holding what its fields cannot hold;
        OverflowError for a number beyond signed 64 bit; UnicodeEncodeError for a lone surrogate.
        """
