"""Settings of the garbage collector that keep it from delaying requests."""

import gc

from fastpay import limits


def collect_less_often() -> None:
    """Raise the collection threshold.

    Imports make many objects that stay, and requests hardly make cycles, so reference counting frees their
    objects; immutable structs are not tracked at all (`gc=False`).
    """
    gc.set_threshold(limits.young_objects_max, *gc.get_threshold()[1:])


def spare() -> None:
    """Freeze start-up objects, which live as long as the process, and collect less often."""
    gc.freeze()
    collect_less_often()
