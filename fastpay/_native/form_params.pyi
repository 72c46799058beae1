"""Forms to structs in one step: the fast path of `api/decoding.py`."""

from collections.abc import Callable
from typing import Any, final

@final
class FormDecoder:
    """Makes structs of one type from forms whose every field is plainly valid.

    It knows the fields that were added, in the order of the type's fields. The type must not have code of
    its own that checks its values.
    """

    def __init__(self, params_type: type) -> None: ...
    def add(
        self,
        name: str,
        *,
        required: bool,
        empty: bool = False,
        boolean: bool = False,
        integer: tuple[int, int] | None = None,
        choices: tuple[str, ...] | None = None,
        text: tuple[int, int, Callable[[str], object] | None] | None = None,
        texts: tuple[int, int, bool] | None = None,
        metadata: bool = False,
        inner: FormDecoder | None = None,
    ) -> None:
        """Add a field and the values that are plainly valid for it; any other value makes the form
        undecided.

        `empty` accepts the empty text as None; `boolean` true and false; `integer` a decimal number between
        two bounds; `choices` these texts; `text` a text with a number of characters in these bounds, in
        which a function finds something; `texts` a list of such texts with a length in these bounds, as a
        tuple or a list; `metadata` a map of texts within the limits of metadata; `inner` a struct. A number
        field cannot have choices. Raises: TypeError for more fields than the maximum.
        """

    def decode(self, body: bytes) -> Any:
        """Return the struct of a form, or None if the form is undecided.

        A form is undecided if it may be invalid, or is valid in an unusual way. The general parser decides.
        """
