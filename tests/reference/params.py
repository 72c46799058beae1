"""`fastpay/_native/params.pyx` in plain Python: every field is asked for by its name."""

from collections.abc import Callable, Iterable

import msgspec
from msgspec import UNSET

from tests.reference import digit_runs

_PLAIN = (str, bool, int)


class Selection:
    """Some parameters of a struct, by name."""

    def __init__(self, struct_type: type[msgspec.Struct], names: Iterable[str]) -> None:
        self.names = tuple(names)
        for name in self.names:
            if name not in struct_type.__struct_fields__:
                raise TypeError(name)
        self._struct_type = struct_type

    def given(self, params: msgspec.Struct) -> dict[str, object]:
        """Return those that a request has."""
        if type(params) is not self._struct_type:
            raise TypeError
        values = {name: getattr(params, name) for name in self.names}
        return {name: value for name, value in values.items() if value is not UNSET}

    def has_any(self, params: msgspec.Struct) -> bool:
        """Return whether a request has any."""
        return bool(self.given(params))


class NumberSearch:
    """The check of every text of params before the search for card numbers."""

    def __init__(self, kept: Callable[[type[msgspec.Struct]], Iterable[str]]) -> None:
        self._kept = kept

    def may_find(self, params: object) -> bool:
        """Return whether a text in it may contain a card number."""
        match params:
            case str():
                return digit_runs.in_text(params)
            case msgspec.Struct():
                return any(self.may_find(getattr(params, name)) for name in self._kept(type(params)))
            case dict():
                return any(self.may_find(key) or self.may_find(value) for key, value in params.items())
            case tuple():
                return any(map(self.may_find, params))
        return not (params is None or params is UNSET or type(params) in _PLAIN)


class EmptySearch:
    """The check of params for values that mean the same as none."""

    def may_find(self, params: object) -> bool:
        """Return whether it may have one."""
        match params:
            case msgspec.Struct():
                return any(self._in_field(params, field) for field in msgspec.structs.fields(params))
            case tuple():
                return any(value is None or self.may_find(value) for value in params)
        return not (params is UNSET or type(params) in _PLAIN)

    def _in_field(self, params: msgspec.Struct, field: msgspec.structs.FieldInfo) -> bool:
        value = getattr(params, field.name)
        if value is None:
            return field.default is not None
        if field.name == "metadata" and type(value) is dict:
            return not value or any(type(text) is not str or not text for text in value.values())
        return self.may_find(value)
