"""How many bytes a struct takes, plainly: the sizes of all that it holds, one after another."""

import sys

import msgspec

STEP_BYTES = 16


def weigh(stored: msgspec.Struct) -> int:
    """Return the bytes of a struct and of what its fields hold."""
    return _rounded(sys.getsizeof(stored)) + sum(
        _weigh(getattr(stored, name)) for name in stored.__struct_fields__
    )


def _weigh(value: object) -> int:
    match value:
        case None | bool():
            return 0
        case int():
            return 0 if -5 <= value <= 256 else _rounded(sys.getsizeof(value))
        case str():
            if value.isascii():
                return _rounded(sys.getsizeof(value))
            width = 4 if max(value) > "\uffff" else 2 if max(value) > "\xff" else 1
            # Of a text twice as long, which nobody has rendered: that makes a text grow by its UTF-8.
            own = sys.getsizeof(value * 2) - len(value) * width
            return _rounded(own) + _rounded(2 * len(value) * width)
        case dict():
            if not value:
                return 64
            return _rounded(sys.getsizeof(value)) + sum(_weigh(k) + _weigh(v) for k, v in value.items())
        case tuple():
            return _rounded(sys.getsizeof(value)) + sum(map(_weigh, value))
        case msgspec.Struct():
            return weigh(value)
    raise TypeError(type(value).__name__)


def _rounded(size: int) -> int:
    return -(-size // STEP_BYTES) * STEP_BYTES
