"""A client that openapi-python-client generates from the document makes a payment and lists it.

It takes a while to generate: `make fuzz` runs this.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import RunningServer
from tests.support.tenants import make_tenant

pytestmark = pytest.mark.skipif("FASTPAY_TEST_FUZZ" not in os.environ, reason="make fuzz runs this")

SCRIPT = """
import sys
from generated import AuthenticatedClient
from generated.api.payment_intents import payment_intents_create, payment_intents_list
from generated.models import Error, PaymentIntent, PaymentIntentsCreateParams

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
params = {"amount": 1999, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa"}
paid = payment_intents_create.sync(client=client, body=PaymentIntentsCreateParams.from_dict(params))
assert isinstance(paid, PaymentIntent) and paid.status == "succeeded", paid
page = payment_intents_list.sync(client=client, limit=1)
assert [one.id for one in page.data] == [paid.id]
params["payment_method"] = "pm_card_chargeDeclined"
refused = payment_intents_create.sync(client=client, body=PaymentIntentsCreateParams.from_dict(params))
assert isinstance(refused, Error) and refused.error.code == "card_declined", refused
"""


def test_a_generated_client_pays(server: RunningServer, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("openapi-python-client")
    made = [str(program), "generate", "--url", f"{server.url}/openapi.json", "--meta", "none"]
    subprocess.run([*made, "--output-path", str(tmp_path / "generated")], check=True)
    key = make_tenant(server.database_url).secret
    subprocess.run([sys.executable, "-c", SCRIPT, server.url, key], cwd=tmp_path, check=True)
