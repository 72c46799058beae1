"""Settings of the garbage collector that keep it from delaying requests."""

import gc

from fastpay import limits


def spare() -> None:
    """Freeze start-up objects and raise the collection threshold.

    Objects that live as long as the process are never examined again. Requests hardly make cycles, so
    reference counting frees their objects; immutable structs are not tracked at all (`gc=False`).
    """
    gc.freeze()
    gc.set_threshold(limits.young_objects_max, *gc.get_threshold()[1:])
