"""From the parameters of a payment to its command."""

from typing import Any, cast

import msgspec
import pytest

from fastpay.api.context import Call
from fastpay.api.resources.payment_intents import commands
from fastpay.api.resources.payment_intents.params import ConfirmParams, CreateParams
from fastpay.domain.charging import Terms


class _Read:
    """Parameters that note which of them are read."""

    def __init__(self, params: CreateParams | ConfirmParams) -> None:
        self.params = params
        self.names: set[str] = set()

    def __getattribute__(self, name: str) -> Any:
        if name in {"params", "names"}:
            return object.__getattribute__(self, name)
        if name == "__class__":
            return type(self.params)
        self.names.add(name)
        return getattr(self.params, name)


class _Call:
    """As much of a call as the terms of a payment need."""

    class services:  # noqa: N801 - it stands for an attribute
        request_notes = None

        class settings:  # noqa: N801 - as above
            public_url = None

    request_id = "req_1"
    routed = None
    continues = True


_PARAMS = (CreateParams(amount=2000, currency="usd", confirm=True), ConfirmParams())
_SELECTIONS = (commands._OPTIONS, commands._TERMS)


@pytest.mark.parametrize("params", _PARAMS)
def test_a_payment_without_options_is_told_by_all_parameters_that_make_options(params: Any) -> None:
    read = _Read(params)
    assert commands._extras(cast(CreateParams, read), 2000) == {}
    # The other options of cards are inside of one that is not given.
    assert read.names == set(commands._OPTIONS[type(params)].names)


@pytest.mark.parametrize("params", _PARAMS)
def test_a_payment_without_terms_is_told_by_all_parameters_that_make_terms(params: Any) -> None:
    read = _Read(params)
    made = commands._terms(cast(Call, _Call), cast(CreateParams, read))
    assert made == Terms(continues=True)
    # The page of a challenge needs an address to return to, or a token that may have one.
    assert read.names == {*commands._TERMS[type(params)].names, "use_stripe_sdk"}


@pytest.mark.parametrize("params", _PARAMS)
def test_any_option_or_term_that_is_given_is_looked_at(params: Any) -> None:
    for selection in (selections[type(params)] for selections in _SELECTIONS):
        assert not selection.has_any(params)
        for name in selection.names:
            assert selection.has_any(msgspec.structs.replace(params, **{name: None}))
