"""fastpay/store/copy_format.py: what can be seen of a copy, and that no nonce comes twice."""

import itertools

import pytest

from benchmarks import samples
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.plan import Versioned
from fastpay.engine.read.copy_ports import Copy
from fastpay.store.copy_format import CopyFormat, Incarnation, RefusedCopyError

SCOPE = samples.SCOPE


def form_of(seal_key: bytes = b"k" * 64, first: int = 1) -> CopyFormat:
    numbers = itertools.count(first)
    return CopyFormat(Incarnation(seal_key, b"identity"), lambda size: next(numbers).to_bytes(size, "big"))


def intent() -> Versioned:
    decided = samples.decide(samples.new_workspace(), samples.new_command(), 0)
    [found] = [versioned for versioned in decided.versions if isinstance(versioned.object, PaymentIntent)]
    return found


def test_a_copy_shows_nothing_of_its_object() -> None:
    versioned = intent()
    assert isinstance(versioned.object, PaymentIntent)
    secret = versioned.object.client_secret.encode()
    copy = Copy(versioned, 7)
    data = form_of().pack(SCOPE, copy)
    for shown in (secret, secret[-8:], b"usd", b"Order", SCOPE.tenant_id.encode()):
        assert shown not in data
    assert form_of().unpack(SCOPE, versioned.object.id, data) == copy


def test_a_copy_opens_in_its_own_place_and_with_its_own_key_alone() -> None:
    versioned = intent()
    name, data = versioned.object.id, form_of().pack(SCOPE, Copy(versioned, 7))
    for form, scope, identifier in (
        (form_of(b"j" * 64), SCOPE, name),
        (form_of(), Scope("f" * 32, SCOPE.livemode), name),
        (form_of(), Scope(SCOPE.tenant_id, not SCOPE.livemode), name),
        (form_of(), SCOPE, "pi_" + "0" * 32),
    ):
        with pytest.raises(RefusedCopyError, match="seal"):
            form.unpack(scope, identifier, data)


def test_no_nonce_comes_twice_not_even_when_the_counter_has_come_to_its_end() -> None:
    form, versioned = form_of(), intent()
    first = [form.pack(SCOPE, Copy(versioned, 7))[:12] for _ in range(3)]
    form._count = (1 << 32) - 2
    last = [form.pack(SCOPE, Copy(versioned, 7))[:12] for _ in range(4)]
    assert len({*first, *last}) == 7
    assert [int.from_bytes(nonce[:8], "big") for nonce in last] == [1, 1, 2, 2]


def test_two_connections_draw_nonces_of_their_own() -> None:
    versioned = intent()
    drawn = [form_of(first=first).pack(SCOPE, Copy(versioned, 7))[:12] for first in (5, 6)]
    assert [nonce[:8] for nonce in drawn] == [(5).to_bytes(8, "big"), (6).to_bytes(8, "big")]
