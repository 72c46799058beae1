"""The page of the rollout: what it shows of a route, and that only proved administrators change one."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.console.test_own_page import grow_old
from tests.support.operators import SignedIn, fields_of, get, join, notes_of, post, send
from tests.support.servers import RunningServer, execute, fetch

PAGE = "/console/routes"
SHADOW, SPLIT, BACK = "GET /v1/charges", "POST /v1/payment_intents", "POST /v1/refunds"
MISTAKEN = f"ch_{7:032x}"
EVIL = "<script>alert(1)</script>"
FOUND = (
    ("outcome", "equal", 7), ("outcome", "differing", 3), ("outcome", "dropped", 2),
    ("difference", "money data[].amount", 3), ("difference", "missing data[].captured", 1),
    ("hidden", "ignore: created", 4), ("latency", "slower", 10), ("latency", "legacy 13", 10),
    ("latency", "fastpay 24", 10),
)  # fmt: skip


def change(server: RunningServer, route: str, state: str, percent: int = 0, reason: str | None = None) -> int:
    """Set a route as an instance does; return the number of the change."""
    (row,) = fetch(
        server.database_url,
        "insert into rollout_change (route, state, percent, changed_by, reason) "
        "values ($1, $2, $3, 'guardrail', $4) returning change_id",
        *(route, state, percent, reason),
    )
    number: int = row["change_id"]
    return number


def newest(server: RunningServer) -> tuple[str, str, int, str]:
    """Return the last change of all."""
    (row,) = fetch(server.database_url, "select * from rollout_change order by change_id desc limit 1")
    return row["route"], row["state"], row["percent"], row["changed_by"]


@pytest.fixture
def routes(server: RunningServer) -> Iterator[None]:
    """A route in shadow whose answers differ, one that is split, and one that was rolled back."""
    shadow, split = change(server, SHADOW, "shadow"), change(server, SPLIT, "split", 10)
    change(server, BACK, "legacy", reason=f"errors: 5 of 9 {EVIL}")
    for measure, name, count in FOUND:
        execute(
            server.database_url,
            "insert into rollout_finding (change_id, route, measure, name, count) "
            f"values ({shadow}, '{SHADOW}', '{measure}', '{name}', {count})",
        )
    for number in (1, 2, 3):
        execute(
            server.database_url,
            "insert into rollout_example "
            "(change_id, route, name, number, request, request_id, legacy, fastpay) "
            f"values ({shadow}, '{SHADOW}', 'money data[].amount', {number}, 'GET /v1/charges', "
            f"'req_{number}', '2000', '199{number}')",
        )
    execute(
        server.database_url,
        "insert into rollout_guard "
        "(change_id, route, metric, blocks, legacy, legacy_bad, fastpay, fastpay_bad, evidence) "
        f"values ({split}, '{SPLIT}', 'errors', 3, 1000, 10, 100, 9, 4.605170185988092)",
    )
    for side, amount in (("legacy", 123_456), ("fastpay", 5_000), ("book", 4_999)):
        execute(
            server.database_url,
            "insert into rollout_finding (change_id, route, measure, name, count) "
            f"values ({split}, '{SPLIT}', 'money', '{side} 2026-11-30 live charge usd', {amount})",
        )
    yield
    execute(server.database_url, "delete from rollout_mistaken")
    change(server, "*", "legacy")


def text_of(page: str) -> str:
    """Return what a page says, without its elements."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", page))


@pytest.mark.usefixtures("routes")
def test_the_page_says_what_was_found_and_why_a_route_is_red(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    execute(
        server.database_url,
        f"insert into rollout_mistaken (prefix, identifier, route) values ('ch', '{MISTAKEN}', '{SHADOW}')",
    )
    page = get(http, PAGE, ada).text
    assert EVIL not in page
    shown = text_of(page)
    for text in (
        f"No route can be split: {MISTAKEN} of the older API looks like an identifier of fastpay ({SHADOW}, ",
        f"{SHADOW} is red: answers differ.",
        f"{BACK} is red: rolled back: errors: 5 of 9",
        "10: 7 equal, 3 different", "dropped 2", "Money 3 differences",
        "money data[].amount: 3", "missing data[].captured: 1",
        *(f"GET /v1/charges req_{number}: legacy 2000, fastpay 199{number}" for number in (1, 2, 3)),
        "Latency of legacy p50 0.95 ms, p99 0.95 ms", "Latency of fastpay p50 6.4 ms",
        "slower in 10 of 10 requests: it is slower", "4 by ignore: created (100 % of what is hidden)",
        "split=10", "10 of 1000 9 of 100 +8.00 (-1.23 to +24.14) 10^2.0",
        "guardrail", "2026-11-30 live charge 1234.56 USD 50.00 USD 49.99 USD",
    ):  # fmt: skip
        assert text in shown, text
    assert f"{SPLIT} is red" not in shown
    # Money comes with its class, and classes in one order.
    assert shown.index("missing data[]") < shown.index("money data[]")


@pytest.mark.usefixtures("routes")
def test_an_administrator_sets_a_route_and_rearms_one(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    done = [notes_of(server, route) for route in (SPLIT, BACK)]
    assert send(http, PAGE, f"{PAGE}/set", ada, route=SPLIT, state="split", percent="25").status_code == 303
    assert newest(server) == (SPLIT, "split", 25, ada.name)
    # What a guardrail has rolled back stays where it is until somebody rearms it.
    refused = send(http, PAGE, f"{PAGE}/set", ada, route=BACK, state="fastpay")
    assert (refused.status_code, "was rolled back" in refused.text) == (400, True)
    assert send(http, PAGE, f"{PAGE}/rearm", ada, route=SPLIT).status_code == 400
    assert send(http, PAGE, f"{PAGE}/rearm", ada, route=BACK).status_code == 303
    assert newest(server) == (BACK, "legacy", 0, ada.name)
    assert send(http, PAGE, f"{PAGE}/set", ada, route=BACK, state="fastpay").status_code == 303
    assert send(http, PAGE, f"{PAGE}/set", ada, route="*", state="legacy").status_code == 303
    # Lists go on to show what fastpay has made.
    assert newest(server)[1:] == ("split", 0, ada.name)
    noted = [
        [action for action, _ in notes_of(server, route)[len(before) :]]
        for route, before in zip((SPLIT, BACK), done, strict=True)
    ]
    assert noted == [
        ["route.set", "route.rearm_refused"],
        ["route.set_refused", "route.rearmed", "route.set"],
    ]
    assert notes_of(server, SPLIT)[len(done[0])] == ("route.set", "split=25")


@pytest.mark.usefixtures("routes")
def test_a_form_that_is_wrong_or_out_of_date_changes_nothing(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    before = newest(server)
    for fields, status in (
        ({"route": SPLIT, "state": "split", "percent": "101"}, 400),
        ({"route": SPLIT, "state": "split", "percent": ""}, 400),
        ({"route": SPLIT, "state": "away"}, 400),
        ({"route": SPLIT}, 400),
        ({"route": "GET /v1/nothing", "state": "shadow"}, 400),
        ({"route": EVIL, "state": "shadow"}, 404),
        ({"state": "shadow"}, 404),
    ):
        assert send(http, PAGE, f"{PAGE}/set", ada, **fields).status_code == status, fields
    assert send(http, PAGE, f"{PAGE}/nothing", ada, route=SPLIT).status_code == 404
    assert newest(server) == before
    fields = fields_of(http, PAGE, ada) | {"route": SPLIT, "state": "fastpay"}
    # A guardrail, or somebody else, was faster.
    change(server, "GET /v1/events", "shadow")
    for _ in range(2):
        answer = post(http, f"{PAGE}/set", ada, **fields)
        assert (answer.status_code, "since the page was opened" in answer.text) == (400, True)
    assert newest(server)[0] == "GET /v1/events"


@pytest.mark.usefixtures("routes")
def test_nobody_else_changes_a_route(http: httpx.Client, server: RunningServer, ada: SignedIn) -> None:
    before, fields = newest(server), fields_of(http, PAGE, ada)
    for action in ("set", "rearm"):
        path, sent = f"{PAGE}/{action}", fields | {"route": BACK, "state": "fastpay"}
        for origin in ("null", "http://evil.example"):
            headers = {"Cookie": ada.cookie, "Origin": origin}
            assert http.post(path, data=sent, headers=headers).status_code == 403
        assert post(http, path, ada, **{**sent, "token": "0" * 64}).status_code == 403
        assert post(http, path, ada, **{**sent, "key": "x"}).status_code == 404
        assert http.post(path, data=sent).headers["location"] == "/console/sign-in"
        for role in ("view", "operate"):
            other = join(http, server, role=role)
            page = get(http, PAGE, other)
            assert (page.status_code, page.text.count("<form")) == (200, 1)
            own = fields_of(http, "/console/", other)
            assert post(http, path, other, **{**sent, **own}).status_code == 403
    assert http.get(PAGE).headers["location"] == "/console/sign-in"
    # Who has not shown for a while who it is, is asked first.
    grace = join(http, server)
    own = fields_of(http, PAGE, grace)
    grow_old(server, grace)
    answer = post(http, f"{PAGE}/set", grace, **own, route=SPLIT, state="fastpay")
    assert answer.headers["location"] == "/console/confirm?for=routes"
    assert get(http, PAGE, grace).text.count("<form") == 1
    assert newest(server) == before
