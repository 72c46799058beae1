"""Parameters of payouts that cannot mean anything: each refused by name, and without effect."""

import httpx
import pytest

from tests.http.test_bad_input import MISSING, UNKNOWN, form, query
from tests.http.test_bad_input import name as name_of
from tests.support.refusals import Bad, Database, check_refused
from tests.support.tenants import Tenant

PAYOUTS = "/v1/payouts"
CASES = [
    form(PAYOUTS, code=MISSING, param="currency", amount="5"),
    form(PAYOUTS, code=MISSING, param="amount", currency="usd"),
    form(PAYOUTS, code="amount_too_small", param="amount", amount="0", currency="usd"),
    form(PAYOUTS, code="amount_too_large", param="amount", amount="100000000", currency="usd"),
    form(PAYOUTS, param="currency", amount="5", currency="zzz"),
    form(PAYOUTS, param="method", amount="5", currency="usd", method="slow"),
    form(PAYOUTS, param="source_type", amount="5", currency="usd", source_type="cash"),
    form(PAYOUTS, param="statement_descriptor", amount="5", currency="usd", statement_descriptor="<x>"),
    form(
        PAYOUTS,
        code="resource_missing",
        param="destination",
        amount="5",
        currency="usd",
        destination="ba_x",
    ),
    form(PAYOUTS, code=UNKNOWN, param="destinaton", amount="5", currency="usd", destinaton="ba_success"),
    query(PAYOUTS + "?status=lost", param="status"),
    query("/v1/balance_transactions?payout=po_x", code="resource_missing", param="payout"),
    query("/v1/balance_transactions?payout=po_x&source=ch_x", param="payout"),
]


@pytest.mark.parametrize("bad", CASES, ids=name_of)
def test_a_bad_parameter_of_a_money_movement_is_named(
    http: httpx.Client, tenant: Tenant, database: Database, bad: Bad
) -> None:
    check_refused(http, tenant, database, bad)
