"""Where a long JSON array can be split, so that it can be read in pieces."""

class TooManyValues(ValueError):
    """The text has more values than allowed."""

def split(
    body: bytes, name: bytes, size: int, piece_values: int, values_max: int
) -> tuple[list[tuple[int, int]], int] | None:
    """Find the array in the member `name` of the top-level object, and the offsets where it can be split.

    Returns the offsets of its pieces, without the commas between them, and the number of elements. Each
    piece has `size` elements, or fewer that have at least `piece_values` values together; the last one has
    the rest. Returns None if there is no such member, more than one, or brackets do not match: then the
    text is invalid, or must be read as a whole.

    Nothing else is checked. The whole text is valid JSON exactly if the text before and after the array
    with one of its pieces is, and so is every other piece as an array of its own.

    Raises: TooManyValues as soon as there are more than `values_max`, as `strict_json.decode` counts them.
    """
