"""Who gets into the console, and who does not."""

import re

import httpx
import pyotp

from tests.support.operators import (
    PASSWORD,
    SignedIn,
    cookie_of,
    get,
    hidden,
    invite,
    join,
    post,
    secret_on,
)
from tests.support.servers import RunningServer, SpawnServer, execute, fetch

PAGES = ("", "tenants", "health", "health/now", "routes", "audit", "nothing", "payments/x/test/y")


def test_without_a_session_every_page_leads_to_the_sign_in(http: httpx.Client) -> None:
    for name in PAGES:
        for cookie in ("", "__Host-fastpay=", f"__Host-fastpay={'A' * 43}", '__Host-fastpay="; =; x'):
            answer = http.get(f"/console/{name}", headers={"Cookie": cookie} if cookie else {})
            assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in"), name
            assert http.post(f"/console/{name}", data={"token": "x"}).status_code == 303


def test_an_invitation_is_good_once(http: httpx.Client, server: RunningServer) -> None:
    _, path = invite(server)
    secret = secret_on(http.get(path).text)
    # The key is the same each time that the page is opened, and no other invitation has it.
    assert secret_on(http.get(path).text) == secret
    code = pyotp.TOTP(secret).now()
    for password, wrong in ((PASSWORD, "000000"), ("short", code), ("x" * 201, code), (PASSWORD, "")):
        refused = http.post(path, data={"password": password, "code": wrong})
        assert refused.status_code == 403
        assert "set-cookie" not in refused.headers
    assert http.post(path, data={"password": PASSWORD, "code": code}).status_code == 303
    assert http.get(path).status_code == 404
    assert http.post(path, data={"password": PASSWORD, "code": code}).status_code == 404
    assert http.get(f"/console/invitation/{'A' * 43}").status_code == 404


def test_a_new_invitation_ends_the_older_one(http: httpx.Client, server: RunningServer) -> None:
    name, older = invite(server)
    _, newer = invite(server, name=name)
    assert http.get(older).status_code == 404
    assert http.get(newer).status_code == 200


def test_a_password_with_a_code_begins_a_session_of_its_own(
    http: httpx.Client, server: RunningServer
) -> None:
    operator = join(http, server)
    # The code of the invitation is used up; those of neighbouring steps are not.
    code = operator.next_code()
    form = {"name": operator.name, "password": PASSWORD, "code": code}
    # A cookie that somebody else has planted becomes no session.
    planted = f"__Host-fastpay={'A' * 43}"
    answer = http.post("/console/sign-in", data=form, headers={"Cookie": planted})
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-fastpay=")
    assert cookie_of(answer) not in (planted, operator.cookie)
    assert {part.strip() for part in cookie.split(";")[1:]} == {
        "Path=/",
        "Secure",
        "HttpOnly",
        "SameSite=Strict",
    }
    assert get(http, "/console/", SignedIn(operator.name, cookie_of(answer), "")).status_code == 200
    assert http.get("/console/", headers={"Cookie": planted}).status_code == 303
    # A code is good once.
    assert http.post("/console/sign-in", data=form).status_code == 403


def test_wrong_passwords_lock_for_a_while_and_names_cannot_be_found_out(
    http: httpx.Client, server: RunningServer
) -> None:
    operator = join(http, server)
    wrong = {"name": operator.name, "password": "wrong password", "code": "123456"}
    texts = {http.post("/console/sign-in", data={**wrong, "name": "nobody"}).text}
    for _ in range(5):
        answer = http.post("/console/sign-in", data=wrong)
        assert answer.status_code == 403
        texts.add(answer.text)
    right = {
        **wrong,
        "password": PASSWORD,
        "code": operator.next_code(),
    }
    locked = http.post("/console/sign-in", data=right)
    assert locked.status_code == 403
    assert len(texts | {locked.text}) == 1
    # Once the lock is over, the same form is good.
    execute(server.database_url, f"update operator set locked_until = now() where name = '{operator.name}'")
    assert http.post("/console/sign-in", data=right).status_code == 303


def test_signing_out_ends_one_session_or_all(http: httpx.Client, server: RunningServer) -> None:
    operator = join(http, server)
    right = {"name": operator.name, "password": PASSWORD}
    code = operator.next_code()
    other = SignedIn(
        operator.name, cookie_of(http.post("/console/sign-in", data={**right, "code": code})), ""
    )
    token = hidden(get(http, "/console/", other).text, "token")
    # The token of another session is none.
    assert post(http, "/console/sign-out", operator, token=token).status_code == 403
    ended = post(http, "/console/sign-out", other, token=token)
    assert (ended.status_code, "Max-Age=0" in ended.headers["set-cookie"]) == (303, True)
    assert get(http, "/console/", other).status_code == 303
    assert get(http, "/console/", operator).status_code == 200
    token = hidden(get(http, "/console/", operator).text, "token")
    assert post(http, "/console/sign-out", operator, token=token, everywhere="1").status_code == 303
    assert get(http, "/console/", operator).status_code == 303


def test_sessions_end_when_they_are_idle_and_when_they_are_old(
    http: httpx.Client, server: RunningServer
) -> None:
    for column in ("seen_at", "created_at"):
        operator = join(http, server)
        execute(
            server.database_url,
            f"update operator_session set {column} = now() - interval '13 hours' where operator_id = "
            f"(select operator_id from operator where name = '{operator.name}')",
        )
        assert get(http, "/console/", operator).status_code == 303


def test_a_disabled_operator_is_out_at_once(http: httpx.Client, server: RunningServer) -> None:
    operator = join(http, server)
    execute(server.database_url, f"update operator set disabled = true where name = '{operator.name}'")
    assert get(http, "/console/", operator).status_code == 303


def test_secrets_are_stored_as_digests_hashes_or_sealed(http: httpx.Client, server: RunningServer) -> None:
    operator = join(http, server)
    stored = ""
    for table in ("operator", "operator_invitation", "operator_session", "operator_action"):
        stored += "".join(str(tuple(row)) for row in fetch(server.database_url, f"select * from {table}"))
    token = operator.cookie.partition("=")[2]
    assert "$argon2id$" in stored
    assert not any(secret in stored for secret in (token, PASSWORD, operator.secret))
    assert operator.secret not in server.output
    assert token not in server.output


def test_a_server_with_its_own_database_invites_its_owner_until_somebody_has_joined(
    spawn_server: SpawnServer,
) -> None:
    server = spawn_server()
    for has_joined in (False, True):
        url = re.search(r"console +(http://\S+)", server.output)
        assert url is not None, server.output
        assert ("/invitation/" in url[1]) is not has_joined
        if not has_joined:
            with httpx.Client(headers={"Origin": server.admin_url}, timeout=60) as http:
                secret = secret_on(http.get(url[1]).text)
                form = {"password": PASSWORD, "code": pyotp.TOTP(secret).now()}
                assert http.post(url[1], data=form).status_code == 303
            server.stop()
            server = spawn_server(data_dir=server.data_dir)
