"""The page of what operators did, and its files."""

import csv
import io
import json
import uuid
from urllib.parse import quote

import httpx

from fastpay import limits
from tests.support.operators import SignedIn, act, get, join, page_of
from tests.support.servers import RunningServer, execute
from tests.support.tenants import Tenant


def _note(server: RunningServer, operator: str, count: int, *, moment: str = "now()") -> None:
    execute(
        server.database_url,
        "insert into operator_action (operator, action, subject, moment) "
        f"select '{operator}', 'test.' || n, 'subject ' || n, {moment} from generate_series(1, {count}) as n",
    )


def test_actions_are_found_by_operator_action_tenant_and_time(
    http: httpx.Client, server: RunningServer, tenant: Tenant, payment: dict[str, str]
) -> None:
    operator = join(http, server)
    page = page_of(tenant, payment)
    act(http, page, operator, "capture", amount="x")
    act(http, page, operator, "capture", amount="1.00")
    who = f"operator={quote(operator.name)}"
    lines = _lines(http, operator, who)
    assert [line["action"] for line in lines] == [
        "payment.captured",
        "payment.capture_refused",
        "operator.joined",
    ]
    assert [line["tenant_id"] for line in lines] == [tenant.tenant_id.hex, tenant.tenant_id.hex, None]
    for query, expected in (
        (f"{who}&action=payment.", 2),
        (f"{who}&action=pay_", 0),
        (f"{who}&tenant={tenant.tenant_id.hex}", 2),
        (f"{who}&tenant={quote(str(lines[0]['tenant']))}", 2),
        (f"{who}&tenant=nobody", 0),
        (f"{who}&since=2020-01-01T00:00", 3),
        (f"{who}&until=2020-01-01T00:00", 0),
        (f"{who}&since={str(lines[0]['moment'])[:23]}", 1),
        (f"{who}&until={str(lines[0]['moment'])[:23]}", 2),
        ("operator=nobody", 0),
    ):
        assert len(_lines(http, operator, query)) == expected, query
        shown = get(http, f"/console/audit?{query}", operator).text
        assert shown.count('<th scope="row">') == expected, query
    for query in ("since=yesterday", "until=9999999-01-01", f"operator={'x' * 101}", "tenant=%00"):
        for name in ("audit", "audit.csv", "audit.jsonl"):
            answer = get(http, f"/console/{name}?{query}", operator)
            assert (answer.status_code, "alert" in answer.text) == (400, True), query


def test_pages_and_files_have_every_action_once(http: httpx.Client, server: RunningServer) -> None:
    operator, name = join(http, server), f"busy {uuid.uuid4().hex}"
    count = limits.audit_export_rows + 7
    _note(server, name, count)
    expected = [f"test.{number}" for number in range(count, 0, -1)]
    assert [line["action"] for line in _lines(http, operator, f"operator={name}")] == expected
    rows = list(csv.DictReader(io.StringIO(_get(http, operator, f"audit.csv?operator={name}"))))
    assert [row["action"] for row in rows] == expected
    found: list[str] = []
    path = f"/console/audit?operator={name}&action=test."
    while path:
        shown = get(http, path, operator).text
        found += [cell.partition("<")[0] for cell in shown.split("<td>test.")[1:]]
        older = shown.partition('<p><a href="/console/audit?')[2].partition('"')[0]
        path = f"/console/audit?{older.replace('&amp;', '&')}" if older else ""
    assert [f"test.{number}" for number in found] == expected


def test_a_file_runs_no_formula_and_loads_as_a_download(http: httpx.Client, server: RunningServer) -> None:
    name = f'=HYPERLINK("http://evil.example") {uuid.uuid4().hex[:8]}, "x"'
    operator = join(http, server, name=name)
    answer = get(http, f"/console/audit.csv?operator={quote(name)}", operator)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert row["operator"] == row["subject"] == f"'{name}"
    [line] = _lines(http, operator, f"operator={quote(name)}")
    assert line["operator"] == name
    head = http.head("/console/audit.csv", headers={"Cookie": operator.cookie})
    assert (head.status_code, head.content) == (200, b"")


def _get(http: httpx.Client, operator: SignedIn, name: str) -> str:
    answer = get(http, f"/console/{name}", operator)
    assert answer.status_code == 200, answer.text
    return answer.text


def _lines(http: httpx.Client, operator: SignedIn, query: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in _get(http, operator, f"audit.jsonl?{query}").splitlines()]
