"""Each parameter of each request has values that it does not take: no parameter is left out of the checks."""

from collections.abc import Iterator

import httpx
import pytest

from fastpay import limits
from fastpay.api.accepted_values import Accepted, accepted_by
from fastpay.api.app import ROUTES
from fastpay.api.routes import Route
from tests.support.refusals import Database, check_error, encode
from tests.support.tenants import Tenant

# The prefixes of the identifiers in paths, by what stands before them. The parameters are read before anybody
# looks for the objects.
PREFIXES = {
    "application_fees": "fee",
    "attempts": "att",
    "balance_transactions": "txn",
    "cash_balance_transactions": "ccsbtxn",
    "charges": "ch",
    "confirmation_tokens": "ctoken",
    "customers": "cus",
    "disputes": "du",
    "events": "evt",
    "ledger/accounts": "lacc",
    "ledger/batches": "lbat",
    "ledger/transfers": "ltr",
    "mandates": "mandate",
    "payment_intents": "pi",
    "payment_methods": "pm",
    "payouts": "po",
    "refunds": "re",
    "request_logs": "req",
    "reversals": "trr",
    "rows": "stlr",
    "settlements": "stl",
    "setup_intents": "seti",
    "sources": "card",
    "tokens": "tok",
    "transfers": "tr",
    "webhook_endpoints": "we",
}


def leaves(
    accepted: Accepted, path: str = "", within: tuple[type, ...] = ()
) -> Iterator[tuple[str, Accepted]]:
    """Yield the path of each parameter, down to values. Structs that hold their own type are entered once."""
    if accepted.elements is not None and not accepted.fields:
        yield from leaves(accepted.elements, f"{path}[0]", within)
    elif accepted.values is not None:
        yield from leaves(accepted.values, f"{path}[a]", within)
    elif accepted.fields is not None and accepted.struct_type not in within:
        inside = (*within, accepted.struct_type or object)
        for name, inner in accepted.fields.items():
            yield from leaves(inner, f"{path}[{name}]" if path else name, inside)
    elif path:
        yield path, accepted


PARAMETERS = {
    f"{route.method} {route.path} {path}": (route, path, accepted)
    for route in ROUTES
    for path, accepted in leaves(accepted_by(route.endpoint.contract.params))
}


def wrong_values(path: str, accepted: Accepted) -> Iterator[tuple[str, str, str, str | None]]:
    """Yield what must be refused: a name and a value, and the parameter and the code that are told."""
    yield path, "\0", path, None
    yield f"{path}[0][x]", "y", path, None
    if accepted.text is None:
        code = None if accepted.integer is None else "parameter_invalid_integer"
        yield path, "no such thing", path, code
    if not path.endswith(("[0]", "[a]")):
        unknown = f"{path[:-1]}x]" if path.endswith("]") else f"{path}x"
        yield unknown, "y", unknown, "parameter_unknown"


def filled(route: Route, tenant: Tenant) -> str:
    """Return the path with identifiers of nobody, or of the only account that the key may name."""
    pieces = route.path.split("/")
    for place, piece in enumerate(pieces):
        if piece.startswith("{"):
            owner = pieces[place - 1]
            named = f"ledger/{owner}" if "ledger" in pieces else owner
            of_account = owner == "accounts" and named == owner
            pieces[place] = f"acct_{tenant.tenant_id.hex}" if of_account else f"{PREFIXES[named]}_{'0' * 32}"
    return "/".join(pieces)


def send(http: httpx.Client, tenant: Tenant, route: Route, name: str, value: str) -> httpx.Response:
    path = filled(route, tenant)
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    if route.method != "POST":
        return http.request(route.method, f"{path}?{encode({name: value}).decode()}", headers=headers)
    form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    return http.post(path, content=encode({name: value}), headers=form)


@pytest.fixture(scope="module")
def unchanged(tenant: Tenant, database: Database) -> Iterator[None]:
    """Hold that all of it together writes nothing."""
    before = database.counts()
    yield
    assert database.counts() == before


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("case", PARAMETERS)
def test_what_a_parameter_does_not_take_is_refused_by_its_name(
    http: httpx.Client, tenant: Tenant, case: str
) -> None:
    route, path, accepted = PARAMETERS[case]
    for name, value, param, code in wrong_values(path, accepted):
        error = check_error(send(http, tenant, route, name, value), 400)
        is_too_deep = name.count("[") >= limits.form_depth_max
        told = (name, None) if is_too_deep else (param, code)
        assert (error.get("param"), error.get("code")) == told, (name, value, error)
