"""The older API over TLS: only with a certificate that is trusted."""

import ssl
from pathlib import Path

from tests.rollout.states import set_all
from tests.support.api import open_client
from tests.support.doors import Certificate
from tests.support.legacy import running_legacy
from tests.support.servers import RunningServer, running_server


def test_nothing_is_sent_to_a_certificate_that_is_not_trusted(
    front: RunningServer, cluster: Path, certificate: Certificate
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.cert, certificate.key)
    with running_legacy(context) as secret:
        environment = {"FASTPAY_LEGACY_URL": secret.url, "FASTPAY_DATABASE_URL": front.database_url}
        environment["FASTPAY_HOMES"] = "false"
        for trusted, status in (({"SSL_CERT_FILE": str(certificate.cert)}, 200), ({}, 502)):
            with (
                running_server("over-tls", cluster, environment=environment | trusted) as running,
                open_client(running.url) as client,
            ):
                set_all("fastpay", client, server=running)
                before = len(secret.heard)
                answers = [client.post("/v2/orders", content=b"body") for _ in range(3)]
                assert [answer.status_code for answer in answers] == [status] * 3
                assert len(secret.heard) - before == (3 if trusted else 0)
        assert secret.connections >= 1
    assert answers[0].json()["error"]["code"] == "legacy_unavailable"
