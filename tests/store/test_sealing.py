"""Secrets at rest: what is sealed opens for its own owner, under its own key, and nowhere else."""

import base64
import itertools
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from fastpay import limits
from fastpay.errors import ConfigurationError, FastpayError
from fastpay.store.sealing import (
    Binding,
    Sealed,
    SealingKey,
    SecretUnreadable,
    Vault,
    make_key,
    open_sealed,
    read_keys,
    render_keys,
)
from tests.support.engine import CLOCK

TENANT, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
BINDING = Binding("signing", TENANT, False, uuid.UUID(int=3))
SECRET = b"fpss_a secret"
KEY = SealingKey(bytes(32))
VAULT = Vault([KEY], clock=CLOCK)


def test_what_is_sealed_is_opened_at_its_place() -> None:
    sealed = VAULT.seal(SECRET, BINDING)
    assert sealed.under == KEY.key_id
    assert SECRET not in sealed.content
    assert VAULT.open(sealed, BINDING) == SECRET


def test_it_is_sealed_differently_each_time() -> None:
    assert len({VAULT.seal(SECRET, BINDING).content for _ in range(50)}) == 50


@pytest.mark.parametrize(
    "elsewhere",
    [
        msgspec.structs.replace(BINDING, purpose="fingerprint"),
        msgspec.structs.replace(BINDING, tenant_id=OTHER),
        msgspec.structs.replace(BINDING, livemode=True),
        msgspec.structs.replace(BINDING, livemode=None),
        msgspec.structs.replace(BINDING, owner_id=uuid.UUID(int=4)),
        Binding("signing", BINDING.owner_id, False, TENANT),
    ],
)
def test_it_is_not_opened_at_another_place(elsewhere: Binding) -> None:
    with pytest.raises(SecretUnreadable):
        VAULT.open(VAULT.seal(SECRET, BINDING), elsewhere)


def test_no_two_owners_are_bound_alike() -> None:
    ids = (TENANT, OTHER, uuid.UUID(int=0))
    modes = (None, False, True)
    purposes: tuple[Literal["fingerprint", "signing"], ...] = ("fingerprint", "signing")
    bindings = [Binding(*parts) for parts in itertools.product(purposes, ids, modes, ids)]
    sealed = VAULT.seal(SECRET, bindings[0])
    opened = []
    for binding in bindings:
        try:
            opened.append((VAULT.open(sealed, binding), binding))
        except SecretUnreadable:
            continue
    assert opened == [(SECRET, bindings[0])]


def test_every_bit_of_what_is_kept_counts() -> None:
    sealed = VAULT.seal(SECRET, BINDING)
    for bit in range(8 * len(sealed.content)):
        changed = bytearray(sealed.content)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SecretUnreadable):
            VAULT.open(Sealed(bytes(changed), sealed.under), BINDING)
    for length in (0, 1, 11, 12, 27, 28, len(sealed.content) - 1):
        with pytest.raises(SecretUnreadable):
            VAULT.open(Sealed(sealed.content[:length], sealed.under), BINDING)


def test_an_older_key_opens_and_only_the_newest_seals() -> None:
    newest = make_key(CLOCK)
    both = Vault([newest, KEY], clock=CLOCK)
    assert both.open(VAULT.seal(SECRET, BINDING), BINDING) == SECRET
    assert both.seal(SECRET, BINDING).under == newest.key_id == both.newest
    assert both.key_ids == (newest.key_id, KEY.key_id)


def test_without_its_key_nothing_is_opened() -> None:
    sealed = VAULT.seal(SECRET, BINDING)
    for vault in (None, Vault([make_key(CLOCK)], clock=CLOCK)):
        with pytest.raises(SecretUnreadable) as refused:
            open_sealed(sealed, BINDING, vault)
        assert refused.value.status == 500
        assert KEY.key_id not in refused.value.message


def test_a_key_that_was_added_later_is_read_when_it_is_needed() -> None:
    newest = make_key(CLOCK)
    keys, read = [KEY], []

    def reread() -> list[SealingKey]:
        read.append(1)
        return keys

    vault = Vault([KEY], clock=CLOCK, reread=reread)
    assert vault.open(VAULT.seal(SECRET, BINDING), BINDING) == SECRET
    assert read == []
    sealed = Vault([newest], clock=CLOCK).seal(SECRET, BINDING)
    with pytest.raises(SecretUnreadable):
        vault.open(sealed, BINDING)
    keys = [newest, KEY]
    assert vault.open(sealed, BINDING) == SECRET
    assert vault.newest == newest.key_id
    assert len(read) == 2


def test_a_file_that_cannot_be_read_again_leaves_the_keys_that_are_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def reread() -> list[SealingKey]:
        raise ConfigurationError("the file is gone")

    vault = Vault([KEY], clock=CLOCK, reread=reread)
    with pytest.raises(SecretUnreadable):
        vault.open(Sealed(b"x" * 40, "0" * 16), BINDING)
    assert "sealing_keys_reload_failed" in caplog.text
    assert vault.open(VAULT.seal(SECRET, BINDING), BINDING) == SECRET


def test_keys_show_nothing_that_is_secret() -> None:
    secret = bytes(range(32))
    key = SealingKey(secret)
    shown = repr(key) + str(key) + repr(vars(Vault([key], clock=CLOCK)))
    for form in (secret.hex(), base64.b64encode(secret).decode(), repr(secret)):
        assert form not in shown
    assert key.key_id in repr(key)


def test_a_key_has_one_name_that_follows_from_it() -> None:
    assert SealingKey(bytes(32)).key_id == KEY.key_id
    assert SealingKey(b"\1" * 32).key_id != KEY.key_id
    assert len(KEY.key_id) == 16


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(content: bytes, mode: int = 0o600) -> Path:
        path = tmp_path / "sealing.keys"
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return make


def test_a_file_of_keys_is_read_as_it_was_written(write: Callable[..., Path]) -> None:
    keys = [make_key(CLOCK) for _ in range(3)]
    for mode in (0o600, 0o400):
        found = read_keys(write(b"\n  # mine\n" + render_keys(keys), mode))
        assert [key.key_id for key in found] == [key.key_id for key in keys]


_GOOD_LINE = base64.b64encode(b"0123456789abcdef0123456789abcdef")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "there is no key"),
        (b"# only this\n", "there is no key"),
        (b"!\n", "line 1"),
        (b"\n" + _GOOD_LINE[:-4] + b"\n", "line 2"),
        (_GOOD_LINE + b"\n" + base64.b64encode(bytes(31)), "line 2"),
        (base64.b64encode(bytes(33)), "line 1"),
        (_GOOD_LINE + b" " + _GOOD_LINE, "line 1"),
        (b"\xff\xfe" + _GOOD_LINE, "line 1"),
        (
            b"\n".join(base64.b64encode(bytes([n]) * 32) for n in range(limits.sealing_keys_max + 1)),
            "more than",
        ),
    ],
)
def test_a_bad_file_is_refused_without_showing_it(
    write: Callable[..., Path], content: bytes, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told) as refused:
        read_keys(write(content))
    assert _GOOD_LINE.decode() not in str(refused.value)
    assert "; " in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_may_read_is_refused(write: Callable[..., Path], mode: int) -> None:
    with pytest.raises(ConfigurationError, match=f"mode {mode:04o}.*chmod 600"):
        read_keys(write(render_keys([KEY]), mode))


def test_a_file_of_another_user_or_none_at_all_is_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_keys(tmp_path / "missing")
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        read_keys(tmp_path)
    with pytest.raises(ConfigurationError, match="are not a regular file"):
        read_keys(Path("/dev/zero"))
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    path = write(render_keys([KEY]))
    os.chown(path, 65_534, 65_534)
    with pytest.raises(ConfigurationError, match="belong to another user"):
        read_keys(path)


def test_unreadable_is_an_error_of_ours() -> None:
    assert issubclass(SecretUnreadable, FastpayError)
    assert not SecretUnreadable("x").retryable
