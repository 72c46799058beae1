"""Headers as text, slowly and plainly: what `fastpay._native.headers` must agree with."""


def decode(pairs: list[tuple[bytes, bytes]]) -> dict[str, str] | None:
    """Return the values by their names, None where a name stands twice."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        return None
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
