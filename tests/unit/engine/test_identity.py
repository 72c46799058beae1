"""Stamps and request identifiers: rising, whatever the clock does."""

from uuid import UUID

from fastpay.domain.identifiers import IdentifierSequence
from fastpay.engine.identity import IdentifierFactory
from tests.unit.api.fakes import NOW_MS, FakeClock


def test_stamps_rise_while_the_clock_stands_still_and_goes_back() -> None:
    clock = FakeClock()
    factory = IdentifierFactory(clock)
    heads = []
    for moved_ms in [0] * 3 + [1] * 3 + [-10_000] * 3 + [10_001]:
        clock.moment_ms += moved_ms
        heads.append(factory.stamp().head)
    assert heads == sorted(set(heads))


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
