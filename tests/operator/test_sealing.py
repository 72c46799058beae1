"""Signing secrets and sealing keys in an operator's hands: commands, files, restarts, and what is wrong."""

import re
import signal
import stat
from pathlib import Path

import httpx
import pytest

from fastpay.clock import SystemClock
from fastpay.config import Settings
from fastpay.errors import ConfigurationError
from fastpay.operations import sealing_keys
from fastpay.signing import HttpxAuth, sign_request
from fastpay.store.sealing import KEY_FILE, read_keys, render_keys
from tests.support.api import TRUST, ask, open_client
from tests.support.operators import PASSWORD, join
from tests.support.servers import RunningServer, SpawnServer, execute, fetch, run_fastpay

INTENTS = "/v1/payment_intents"
FORM = "amount=5&currency=usd&payment_method=pm_card_visa&confirm=true"
WHOSE = ("--tenant", "shop", "--mode", "test")
# What an operator changes is to be seen by the next request.
AT_ONCE = {"FASTPAY_KEY_CACHE_MS": "0"}


class Operator:
    """Runs commands on the installation of a server."""

    def __init__(self, server: RunningServer) -> None:
        self._place = ("--data-dir", str(server.data_dir))

    def run(self, *command: str) -> str:
        """Return what a command printed."""
        done = run_fastpay(*command, *self._place)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def refused(self, *command: str) -> str:
        """Return why a command was refused, in one line after what it logged."""
        done = run_fastpay(*command, *self._place)
        assert done.returncode in {1, 2}, done.stdout
        *logged, reason = done.stderr.splitlines()
        assert [line for line in logged if " info " not in line] == []
        assert done.stdout == ""
        return reason

    def key_id(self, key: str) -> str:
        """Return what a key is called in the list."""
        [found] = re.findall(rf"([0-9a-f-]{{36}}) .* {key[-4:]} ", self.run("keys", "list", *WHOSE))
        return str(found)


def status(server: RunningServer, key: str, *secrets: str) -> int:
    """Return the status of a request with this key, signed with these secrets."""
    auth = HttpxAuth(*secrets) if secrets else None
    headers = {"authorization": f"Bearer {key}"}
    return ask(f"{server.url}/v1/balance", headers=headers, auth=auth).status_code


def test_signing_from_the_first_key_to_its_end(spawn_server: SpawnServer) -> None:
    server = spawn_server(environment=AT_ONCE)
    operator = Operator(server)
    key, first = operator.run("keys", "create", *WHOSE, "--must-sign").split()
    key_id = operator.key_id(key)
    assert status(server, key) == 401
    assert status(server, key, first) == 200
    assert re.search(rf"{key[-4:]}.*must", operator.run("keys", "list", *WHOSE))
    second = operator.run("keys", "signing", "roll", key_id, *WHOSE, "--expires-in-hours", "1")
    assert (status(server, key, first), status(server, key, second)) == (200, 200)
    assert status(server, key, "fpss_another", second) == 200
    third = operator.run("keys", "signing", "roll", key_id, *WHOSE)
    assert [status(server, key, secret) for secret in (first, second, third)] == [401, 401, 200]
    assert "Stop requiring that first" in operator.refused("keys", "signing", "remove", key_id, *WHOSE)
    assert "need not" in operator.run("keys", "signing", "require", key_id, "off", *WHOSE)
    assert (status(server, key), status(server, key, third), status(server, key, first)) == (200, 200, 401)
    rolled = operator.run("keys", "roll", key_id, *WHOSE)
    assert (status(server, rolled, third), status(server, key, third)) == (200, 401)
    rolled_id = operator.key_id(rolled)
    assert operator.run("keys", "signing", "remove", rolled_id, *WHOSE).startswith("removed 1 signing secret")
    assert (status(server, rolled), status(server, rolled, third)) == (200, 401)
    assert "Create one first" in operator.refused("keys", "signing", "require", rolled_id, "on", *WHOSE)
    fourth = operator.run("keys", "signing", "create", rolled_id, *WHOSE)
    operator.run("keys", "signing", "require", rolled_id, "on", *WHOSE)
    assert (status(server, rolled), status(server, rolled, fourth)) == (401, 200)
    for secret in (first, second, third, fourth):
        assert secret not in server.output + operator.run("keys", "list", *WHOSE)


def test_a_new_sealing_key_under_a_running_server(spawn_server: SpawnServer) -> None:
    server = spawn_server(environment=AT_ONCE)
    operator = Operator(server)
    path = server.data_dir / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key, secret = operator.run("keys", "create", *WHOSE, "--signing").split()
    with open_client(server.admin_url, headers={"Origin": server.admin_url}) as console:
        ada = join(console, server)
    [old] = [key.key_id for key in read_keys(path)]
    new = operator.run("sealing", "add")
    assert [key.key_id for key in read_keys(path)] == [new, old]
    # Fingerprints of two tenants, one signing secret, and one operator's second factor.
    assert f"{old}  4 secrets  still needed" in operator.run("sealing", "list")
    assert operator.run("sealing", "reseal") == f"sealed 4 secrets under {new}"
    assert operator.run("sealing", "reseal") == "nothing to do"
    assert operator.run("sealing", "list").splitlines() == [
        f"{new}  4 secrets  newest",
        f"{old}  0 secrets  may be removed",
    ]
    assert status(server, key, secret) == 200
    assert status(server, server.test_key) == 200
    # The old key is gone: what opens now opens under the new one.
    path.write_bytes(render_keys(read_keys(path)[:1]))
    form = {"name": ada.name, "password": PASSWORD, "code": ada.next_code()}
    signed = httpx.post(
        f"{server.admin_url}/console/sign-in",
        data=form,
        headers={"Origin": server.admin_url},
        timeout=60,
        trust_env=False,
        verify=TRUST,
    )
    assert signed.status_code == 303
    assert "secret_open_failed" not in server.output


def test_another_instance_on_the_embedded_database_finds_the_keys(spawn_server: SpawnServer) -> None:
    first = spawn_server()
    other = spawn_server(environment={"FASTPAY_DATABASE_URL": first.database_url})
    assert status(other, first.test_key) == 200
    assert not (other.data_dir / KEY_FILE).exists()


def test_what_was_in_plain_is_sealed_at_the_next_start_and_stays_the_same(
    spawn_server: SpawnServer,
) -> None:
    server = spawn_server()
    plain = "decode(repeat('ab', 32), 'hex')"
    execute(
        server.database_url,
        f"update tenant set fingerprint_key = {plain}, sealed_fingerprint_key = null, sealed_under = null",
    )
    key = Operator(server).run("keys", "create", *WHOSE[:2], "--mode", "live")
    before = _card_fingerprint(server)
    server.stop()
    server = spawn_server(data_dir=server.data_dir, environment=AT_ONCE)
    assert fetch(server.database_url, "select from tenant where fingerprint_key is not null") == []
    assert _card_fingerprint(server) == before
    assert status(server, key) == 200


def _card_fingerprint(server: RunningServer) -> str:
    card = {
        "type": "card",
        "card[number]": "4242424242424242",
        "card[exp_month]": "12",
        "card[exp_year]": "2040",
    }
    made = httpx.post(
        f"{server.url}/v1/payment_methods",
        data=card,
        auth=(server.test_key, ""),
        trust_env=False,
        verify=TRUST,
    )
    fingerprint: str = made.json()["card"]["fingerprint"]
    return fingerprint


def test_a_signed_post_without_a_key_is_not_taken_again_after_a_crash(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    key, secret = Operator(server).run("keys", "create", *WHOSE, "--must-sign").split()
    headers = {
        "authorization": f"Bearer {key}",
        "content-type": "application/x-www-form-urlencoded",
        "fastpay-signature": sign_request(secret, "POST", INTENTS, FORM),
    }

    def send() -> int:
        answer = httpx.post(
            server.url + INTENTS, content=FORM, headers=headers, trust_env=False, verify=TRUST
        )
        return answer.status_code

    assert [send(), send()] == [200, 401]
    server.stop(signal.SIGKILL)
    server = spawn_server(data_dir=server.data_dir)
    assert [send(), send()] == [401, 401]
    listed = ask(server.url + INTENTS, auth=HttpxAuth(secret, api_key=key))
    assert len(listed.json()["data"]) == 1


def test_lost_or_open_keys_stop_the_start_and_the_doctor_says_why(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    operator, data_dir = Operator(server), server.data_dir
    server.stop()
    path = data_dir / KEY_FILE
    kept = path.read_bytes()
    [key_id] = [key.key_id for key in read_keys(path)]
    assert _diagnosis(data_dir) == (0, f"1 under the newest key, {key_id}")

    path.chmod(0o644)
    assert f"(mode 0644); chmod 600 {path}" in operator.refused("serve", "--port", "0")
    code, told = _diagnosis(data_dir)
    assert (code, "mode 0644" in told) == (1, True)

    path.unlink()
    assert "cannot be read: No such file" in operator.refused("serve", "--port", "0")
    assert "cannot be read" in operator.refused("keys", "create", *WHOSE)
    assert not path.exists()
    assert "No such file" in _diagnosis(data_dir)[1]

    operator.run("sealing", "add")
    reason = f"sealed under {key_id}, which {path} does not contain"
    assert reason in operator.refused("serve", "--port", "0")
    assert reason in operator.refused("sealing", "reseal")
    assert reason in " ".join(_diagnosis(data_dir)[1].split())

    path.write_bytes(path.read_bytes() + kept)
    code, told = _diagnosis(data_dir)
    assert (code, "1 under a key older than" in told) == (0, True)
    assert spawn_server(data_dir=data_dir).stop() == 0


def _diagnosis(data_dir: Path) -> tuple[int, str]:
    """Return the doctor's status and what it saw of sealed secrets."""
    done = run_fastpay("doctor", "--data-dir", str(data_dir), environment={"COLUMNS": "500"})
    [line] = [line for line in done.stdout.splitlines() if line.startswith("│ sealed secrets")]
    return done.returncode, line.split("│")[3].strip()


def test_a_database_of_ones_own_has_no_keys_until_a_file_is_named(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    environment = {"FASTPAY_DATABASE_URL": database_url, "FASTPAY_REDIS_URL": redis_url, "COLUMNS": "300"}

    def run(*command: str, **more: str) -> tuple[int, str]:
        done = run_fastpay(*command, environment=environment | more)
        return done.returncode, done.stdout + done.stderr

    assert run("keys", "create", *WHOSE)[0] == 0
    code, told = run("keys", "create", *WHOSE, "--signing")
    assert (code, "FASTPAY_SEALING_KEY_FILE" in told) == (2, True)
    assert len(fetch(database_url, "select from api_key")) == 1
    assert "FASTPAY_SEALING_KEY_FILE" in run("sealing", "add")[1]
    assert "FASTPAY_SEALING_KEY_FILE" in run("sealing", "list")[1]
    assert "1 not sealed, and there is no sealing key" in run("doctor")[1]

    file = {"FASTPAY_SEALING_KEY_FILE": str(tmp_path / "keys")}
    for command in (("sealing", "list"), ("serve", "--port", "0"), ("keys", "create", *WHOSE)):
        code, told = run(*command, **file)
        assert (code, "No such file" in told) == (2, True), told
    code, told = run("sealing", "add", **file)
    assert (code, "created the first key in" in told) == (0, True), told
    assert "1 not sealed, 0 under a key older" in run("doctor", **file)[1]
    assert "not sealed        1 secrets  reseal them" in run("sealing", "list", **file)[1]
    assert run("sealing", "reseal", **file)[1].startswith("sealed 1 secret under")
    assert "1 under the newest key" in run("doctor", **file)[1]
    assert run("keys", "create", *WHOSE, "--signing", **file)[0] == 0
    code, told = run("sealing", "add", **file)
    assert (code, "added a new key at the top of" in told, "created the first" in told) == (0, True, False), (
        told
    )
    assert "no sealing keys are configured" in run("sealing", "list")[1]
    assert "no sealing keys are configured" in run("doctor")[1]


def test_a_file_that_somebody_else_made_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    sealing_keys._make_file(path, SystemClock())
    first = path.read_bytes()
    sealing_keys._make_file(path, SystemClock())
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


def test_a_named_file_is_never_made_by_a_start(tmp_path: Path) -> None:
    settings = Settings(sealing_key_file=str(tmp_path / "nowhere" / "keys"))
    with pytest.raises(ConfigurationError, match="there is no directory"):
        sealing_keys.add_key(settings, clock=SystemClock())
