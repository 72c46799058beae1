"""Where a long array in JSON can be cut, so that it can be read in pieces."""

class TooManyValues(ValueError):
    """The text has more values than are allowed."""

def split(
    body: bytes, name: bytes, size: int, piece_values: int, values_max: int
) -> tuple[list[tuple[int, int]], int] | None:
    """Find the array that is a member `name` of the object at the top, and where it can be cut.

    Returns the places of its pieces, without the commas between them, and how many elements there are. Each
    piece has `size` elements, or fewer that have at least `piece_values` values together; the last one has
    what is left. None where there is no such member, more than one,
    or where brackets do not match: then the text is no JSON, or must be read as a whole.

    Nothing else is checked: where the text before and behind the array with one of its pieces is JSON, and so
    is every other piece in an array of its own, the whole text is JSON, and not otherwise.

    Raises: TooManyValues as soon as there are more than `values_max`, as `strict_json.decode` counts them.
    """
