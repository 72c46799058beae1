"""How many bytes an object takes in memory: counted, and not by encoding it."""

import msgspec

def weigh(stored: msgspec.Struct) -> int:
    """Return the bytes of a struct and all that its fields hold, rather more than less.

    What others may hold as well (a default, a text that the decoder had at hand) is counted like everything
    else; None, booleans and the small integers that Python keeps anyway are not.

    Raises: TypeError for a field that holds anything but structs, texts, numbers, maps of texts and tuples.
    """
