"""The garbage collector: what it is spared, so that requests do not wait for it."""

import gc

from fastpay import limits


def spare() -> None:
    """Have it look less often, and never again at what is there by now: what the start made stays to the end.

    What requests make goes by itself, since nearly nothing in it refers back to itself; structs that never
    change say so of themselves (`gc=False`).
    """
    gc.freeze()
    gc.set_threshold(limits.young_objects_max, *gc.get_threshold()[1:])
