"""The page of health: what `/readyz` says, for people."""

import json

import httpx

from tests.support.operators import SignedIn, get


def test_dependencies_and_pools_are_those_of_readyz(http: httpx.Client, ada: SignedIn) -> None:
    known = json.loads(http.get("/readyz").text)
    for path in ("/console/health", "/console/health/now"):
        shown = get(http, path, ada).text
        for name, state in known["dependencies"].items():
            assert f'<th scope="row">{name}</th><td class="good">{state["status"]}</td>' in shown, name
        for name, pool in known["pools"].items():
            row = shown.partition(f'<th scope="row">{name}</th><td>')[2].partition("</tr>")[0]
            assert f"<td>{pool['connections_max']}</td>" in row, name
        assert " free" in shown
