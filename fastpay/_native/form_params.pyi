"""Forms straight to structs: the fast lane of `api/decoding.py`."""

from collections.abc import Callable
from typing import Any, final

@final
class FormDecoder:
    """Makes structs of one type out of forms in which every field leaves no doubt.

    It knows the fields that were added, in the order of the type's own; the type must not have code of its
    own that looks at what it is made of.
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
        """Add a field, and what it may plainly be given; a field given anything else is a doubt.

        `empty` takes the empty text for None; `boolean` true and false; `integer` a decimal number between
        two bounds; `choices` these texts; `text` a text of so many characters, from and to, that a function
        finds something in; `texts` a list of such texts, from so many to so many, as a tuple or a list;
        `metadata` a map of texts within the limits of metadata; `inner` a struct. The numbers of a number
        field leave no room for choices. Raises: TypeError for more fields than there is room for.
        """

    def decode(self, body: bytes) -> Any:
        """Return the struct that a form makes, None where anything is in doubt.

        In doubt is whatever may be wrong, and what is right in an unusual way: the careful reader finds out.
        """
