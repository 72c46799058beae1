"""The memory size of an object: computed without encoding it."""

import msgspec

def weigh(stored: msgspec.Struct) -> int:
    """Return the size in bytes of a struct and everything in its fields, rather too much than too little.

    Shared values (a default, a text that the decoder reused) count like all others. None, booleans and
    Python's preallocated small integers do not count.

    Raises: TypeError for a field with anything but structs, texts, numbers, maps of texts and tuples.
    """
