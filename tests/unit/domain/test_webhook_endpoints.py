"""Webhook endpoints: what they want, their secrets, and what the relay reports of them."""

from typing import Any

import msgspec
import pytest

from fastpay import limits
from fastpay._native.identifiers import IdentifierSequence
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Book, Command, Draft, Workspace
from fastpay.domain.webhook_endpoints import (
    CreateEndpoint,
    DeleteEndpoint,
    EnableEndpoint,
    EndpointSecret,
    PingEndpoint,
    ReplayEvents,
    ReportEndpoint,
    RotateSecret,
    UpdateEndpoint,
    WebhookEndpoint,
    WebhookReplay,
    secret_text,
)
from fastpay.errors import FastpayError, InvalidRequest, NotFound

SCOPE = Scope("1" * 32, False)
START_S = 1_790_000_000
SEQUENCE = 40


class World:
    """A tenant whose sequence is at 40, and one endpoint."""

    def __init__(self, **fields: Any) -> None:
        self.workspace = Workspace(Book(SCOPE, SEQUENCE))
        self.count = 0
        self.now_s = START_S
        create = {"url": "https://a.example/", "enabled_events": ("*",), **fields}
        self.id = self.run(CreateEndpoint(salt="first", fields=create))

    def run(self, command: Command) -> str:
        self.count += 1
        identifiers = IdentifierSequence(0x1F0 << 16 | 0x7000 | self.count, b"\0" * 8)
        draft = Draft(self.workspace, moment_s=self.now_s, identifiers=identifiers)
        answered = command.execute(self.workspace, draft)
        draft.finish(answered)
        self.workspace.merge(draft)
        self.events = [event.type for event in draft.events]
        return answered

    def refused(self, command: Command) -> FastpayError:
        with pytest.raises(FastpayError) as caught:
            self.run(command)
        return caught.value

    @property
    def endpoint(self) -> WebhookEndpoint:
        found = self.workspace.find(self.id)
        assert isinstance(found, WebhookEndpoint)
        return found

    def salts(self) -> list[tuple[str, int | None]]:
        return [(secret.salt, secret.expires_at) for secret in self.endpoint.secrets]


@pytest.mark.parametrize(
    ("enabled", "event_type", "is_wanted"),
    [
        (("*",), "charge.succeeded", True),
        (("charge.*",), "charge.dispute.created", True),
        (("charge.*",), "customer.created", False),
        (("charge.succeeded",), "charge.succeeded", True),
        (("charge.succeeded",), "charge.failed", False),
        (("invoice.paid",), "charge.failed", False),
        (("*",), "payment_method.created", False),
        (("*",), "webhook_endpoint.failing", True),
    ],
)
def test_an_endpoint_wants_what_its_patterns_mean(
    enabled: tuple[str, ...], event_type: str, *, is_wanted: bool
) -> None:
    endpoint = World(enabled_events=enabled).endpoint
    assert endpoint.wants(event_type, "x") is is_wanted
    assert (event_type in endpoint.wanted_types()) is is_wanted


def test_a_ping_is_wanted_by_the_endpoint_that_it_is_about_and_by_no_other() -> None:
    for enabled in (("*",), ("charge.failed",), ("webhook_endpoint.ping",)):
        endpoint = World(enabled_events=enabled).endpoint
        assert endpoint.wants("webhook_endpoint.ping", endpoint.id)
        assert not endpoint.wants("webhook_endpoint.ping", "we_" + "0" * 32)
        assert "webhook_endpoint.ping" not in endpoint.wanted_types()


def test_secrets_differ_by_key_mode_and_salt_and_stay_the_same() -> None:
    first, second = EndpointSecret(salt="a"), EndpointSecret(salt="b")
    live = Scope(SCOPE.tenant_id, True)
    made = {
        secret_text(key, scope, secret)
        for key in (b"k" * 32, b"l" * 32)
        for scope in (SCOPE, live)
        for secret in (first, second)
    }
    assert len(made) == 8
    # Receivers have it: it may never change.
    assert secret_text(b"k" * 32, SCOPE, first) == "whsec_FbNgu9GKfuD8QLvDanFcoF/fbaPm38PN1zslZNcLoPo="


def test_rotating_keeps_the_older_secrets_for_the_overlap_and_never_longer() -> None:
    world = World()
    world.run(RotateSecret(id=world.id, salt="second", overlap_s=100))
    assert world.salts() == [("second", None), ("first", START_S + 100)]
    world.now_s += 50
    world.run(RotateSecret(id=world.id, salt="third", overlap_s=100))
    assert world.salts() == [("third", None), ("second", START_S + 150), ("first", START_S + 100)]
    world.now_s += 60
    world.run(RotateSecret(id=world.id, salt="fourth", overlap_s=10))
    assert world.salts() == [("fourth", None), ("third", START_S + 120), ("second", START_S + 120)]
    world.run(RotateSecret(id=world.id, salt="fifth"))
    assert world.salts() == [("fifth", None)]


def test_at_most_four_secrets_are_valid_at_a_time() -> None:
    world = World()
    for number in range(limits.webhook_secrets_max - 1):
        world.run(RotateSecret(id=world.id, salt=str(number), overlap_s=100))
    assert len(world.salts()) == limits.webhook_secrets_max
    error = world.refused(RotateSecret(id=world.id, salt="more", overlap_s=100))
    assert error.param == "overlap_seconds"
    world.now_s += 100
    world.run(RotateSecret(id=world.id, salt="more", overlap_s=100))
    assert len(world.salts()) == 2


def test_an_endpoint_starts_now_or_at_a_number_that_there_is() -> None:
    assert World().endpoint.start_after_sequence == SEQUENCE
    world = World()
    fields = {"url": "https://a.example/", "enabled_events": ("*",)}
    for start in (0, world.workspace.sequence):
        world.id = world.run(CreateEndpoint(salt="s", fields=fields, start_after_sequence=start))
        assert world.endpoint.start_after_sequence == start
    later = CreateEndpoint(salt="s", fields=fields, start_after_sequence=world.workspace.sequence + 1)
    assert world.refused(later).param == "fastpay[start_after_sequence]"


def test_there_are_so_many_endpoints_and_no_more() -> None:
    world = World()
    fields = {"url": "https://a.example/", "enabled_events": ("*",)}
    world.run(CreateEndpoint(salt="s", fields=fields, existing=limits.webhook_endpoints_max - 1))
    full = CreateEndpoint(salt="s", fields=fields, existing=limits.webhook_endpoints_max)
    assert world.refused(full).code == "webhook_endpoints_exceeded"


def test_a_disabled_endpoint_is_neither_pinged_nor_replayed_to() -> None:
    world = World()
    world.run(UpdateEndpoint(id=world.id, disabled=True))
    assert (world.endpoint.status, world.endpoint.disabled_reason) == ("disabled", "requested")
    for command in (PingEndpoint(id=world.id), ReplayEvents(id=world.id, from_sequence=1)):
        assert isinstance(world.refused(command), InvalidRequest)
    world.run(EnableEndpoint(id=world.id))
    assert (world.endpoint.status, world.endpoint.disabled_reason) == ("enabled", None)
    world.run(PingEndpoint(id=world.id))
    assert world.events == ["webhook_endpoint.ping"]


def test_a_deleted_endpoint_has_nothing_left_and_is_not_there() -> None:
    world = World(headers={"Authorization": "a"}, description="b")
    created = world.endpoint.created
    world.run(DeleteEndpoint(id=world.id))
    assert world.endpoint == WebhookEndpoint(id=world.id, created=created, status="disabled", deleted=True)
    for command in (
        UpdateEndpoint(id=world.id),
        EnableEndpoint(id=world.id),
        DeleteEndpoint(id=world.id),
        RotateSecret(id=world.id, salt="s"),
        PingEndpoint(id=world.id),
        ReplayEvents(id=world.id, from_sequence=1),
        ReportEndpoint(id=world.id, finding="recovered"),
    ):
        assert tuple(command.needs(world.workspace)) == (world.id,)
        assert isinstance(world.refused(command), NotFound)


def test_a_replay_ends_now_unless_it_says_where() -> None:
    world = World()
    last = world.workspace.sequence
    found = world.workspace.find(world.run(ReplayEvents(id=world.id, from_sequence=7)))
    assert isinstance(found, WebhookReplay)
    assert (found.from_sequence, found.to_sequence) == (7, last)
    beyond = ReplayEvents(id=world.id, from_sequence=7, to_sequence=world.workspace.sequence + 1)
    assert world.refused(beyond).param == "to_sequence"
    backwards = ReplayEvents(id=world.id, from_sequence=8, to_sequence=7)
    assert world.refused(backwards).param == "from_sequence"


def test_what_the_relay_finds_out_is_written_once() -> None:
    world = World()
    failing = ReportEndpoint(id=world.id, finding="failing", failing_since=START_S)
    world.run(failing)
    assert (world.endpoint.failing_since, world.events) == (START_S, ["webhook_endpoint.failing"])
    later = msgspec.structs.replace(failing, failing_since=START_S + 9)
    assert isinstance(world.refused(later), InvalidRequest)
    world.run(ReportEndpoint(id=world.id, finding="recovered"))
    assert (world.endpoint.failing_since, world.events) == (None, ["webhook_endpoint.recovered"])
    assert isinstance(world.refused(ReportEndpoint(id=world.id, finding="recovered")), InvalidRequest)
    world.run(ReportEndpoint(id=world.id, finding="disabled", reason="gone"))
    assert (world.endpoint.status, world.endpoint.disabled_reason) == ("disabled", "gone")
    assert world.events == ["webhook_endpoint.disabled"]
    for finding in ("disabled", "failing", "recovered"):
        report = ReportEndpoint(id=world.id, finding=finding, failing_since=1)
        assert isinstance(world.refused(report), InvalidRequest)


def test_a_report_about_another_url_is_refused() -> None:
    world = World()
    world.run(UpdateEndpoint(id=world.id, fields={"url": "https://b.example/"}))
    report = ReportEndpoint(id=world.id, finding="disabled", reason="gone", url="https://a.example/")
    assert isinstance(world.refused(report), InvalidRequest)
    world.run(msgspec.structs.replace(report, url="https://b.example/"))
    assert world.endpoint.status == "disabled"
