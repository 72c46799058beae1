"""Structs to JSON by a template, which `api/layout.py` makes from a shape."""

from typing import Any, final

@final
class Template:
    """Renders the structs of one type, composed piece by piece from the first byte to the last.

    The caller makes sure that the pieces form valid JSON. Field values are written exactly as
    `msgspec.json.encode` writes them. A `path` is the name of a field, or of a part that is never None, a
    dot and the name of a field of it.

    Raises: TypeError from each method that names a field, if there is no such field.
    """

    def __init__(self, struct_type: type) -> None: ...
    def put(self, text: bytes) -> None:
        """Append bytes unchanged."""

    def put_field(self, path: str) -> None:
        """Append a field's value: None, a bool, a signed 64-bit int, a text, a map or a tuple of texts."""

    def put_slot(self, path: str) -> None:
        """Append a field's value; unless it is None, `render` may replace it by a whole object."""

    def put_json(self, path: str) -> None:
        """Append the text of a field unchanged, null for None. The text must be JSON."""

    def put_mode(self) -> None:
        """Append whether it is live mode."""

    def put_part(self, name: str, template: Template) -> None:
        """Append the template's output for the struct in a field, or null if the field is None."""

    def put_when(self, path: str, wanted: str | None, then: Template, otherwise: Template) -> None:
        """Append the output of one of two templates for the same struct.

        It is the first template if the field is the wanted text, or a tuple that has it; if none is wanted,
        unless the field is None or false.
        """

    def put_choice(self, path: str, texts: dict[str, bytes], otherwise: Template) -> None:
        """Append bytes chosen by the text in a field, or another template's output if no choice matches."""

    def put_whether_same(self, path: str, other: str) -> None:
        """Append whether two fields hold the same number."""

    def render(self, stored: Any, livemode: bool, whole: bytes | None = None) -> bytes:
        """Return the template's output for a struct. `whole` fills its slot unchanged, if it has one.

        Raises: TypeError for a struct of another type, or with a value that its fields cannot hold;
        OverflowError for a number beyond signed 64 bits; UnicodeEncodeError for a lone surrogate.
        """
