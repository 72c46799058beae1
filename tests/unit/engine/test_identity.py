"""Stamps and request identifiers: rising, unless the clock goes back a long way."""

from uuid import UUID

import pytest

from fastpay import limits
from fastpay._native.identifiers import IdentifierSequence
from fastpay.domain.identifiers import is_well_formed
from fastpay.engine.identity import IdentifierFactory
from fastpay.errors import ClockSkewed
from tests.unit.api.fakes import NOW_MS, FakeClock


def test_stamps_rise_while_the_clock_stands_still_and_goes_back_a_little() -> None:
    clock = FakeClock()
    factory = IdentifierFactory(clock)
    heads = []
    for moved_ms in [0] * 3 + [1] * 3 + [-300] * 3 + [901]:
        clock.moment_ms += moved_ms
        heads.append(factory.stamp().head)
    assert heads == sorted(set(heads))


def test_stamps_come_back_to_the_right_time_after_a_clock_was_far_ahead() -> None:
    clock = FakeClock()
    factory = IdentifierFactory(clock)
    before = factory.stamp()
    for ahead_ms in (8 * 86_400_000, limits.identifiers_ahead_ms_max + 1):
        clock.moment_ms += ahead_ms
        factory.stamp()
        clock.moment_ms -= ahead_ms
        after = [factory.stamp() for _ in range(3)]
        assert [stamp.moment_ms for stamp in after] == [NOW_MS] * 3
        assert [stamp.head for stamp in after] == sorted({stamp.head for stamp in after})
        assert before.tail not in {stamp.tail for stamp in after}


def test_no_stamp_is_given_out_while_the_time_is_in_doubt() -> None:
    factory = IdentifierFactory(FakeClock())
    factory.suspend("In doubt.")
    with pytest.raises(ClockSkewed, match="In doubt"):
        factory.stamp()
    factory.resume()
    assert factory.stamp().moment_ms == NOW_MS


def test_a_moment_whose_count_is_used_up_makes_way_for_the_next() -> None:
    factory = IdentifierFactory(FakeClock())
    stamps = [factory.stamp() for _ in range(4_097)]
    assert len({stamp.head for stamp in stamps}) == 4_097
    assert stamps[4_095].moment_ms == NOW_MS
    assert stamps[4_096].moment_ms == NOW_MS + 1


def test_an_identifier_is_a_uuid_of_version_7_that_carries_its_moment() -> None:
    stamp = IdentifierFactory(FakeClock()).stamp()
    identifier = UUID(IdentifierSequence(stamp.head, stamp.tail).next("pi")[3:])
    assert (identifier.version, identifier.variant) == (7, "specified in RFC 4122")
    assert identifier.int >> 80 == stamp.moment_ms == NOW_MS


def test_tails_and_request_ids_differ() -> None:
    factory = IdentifierFactory(FakeClock())
    assert factory.stamp().tail != factory.stamp().tail
    assert factory.request_id() != factory.request_id()
    assert len(factory.request_id()) == len("req_") + 24


def test_an_identifier_without_a_command_is_none_of_any_command() -> None:
    factory, twin = IdentifierFactory(FakeClock()), IdentifierFactory(FakeClock())
    for _ in range(3):
        made, stamp = factory.identifier("att"), twin.stamp()
        assert is_well_formed(made, "att")
        # What a command with this stamp would call its first object: no command has the stamp.
        assert made == IdentifierSequence(stamp.head, stamp.tail).next("att")
