"""Objects returned instead of a coroutine: a known result, or a marker that there is nothing to await."""
