"""An operator's own page: password, authenticator and sessions, and the proof that it wants first."""

import re

import httpx
import pyotp

from tests.support.operators import PASSWORD, SignedIn, cookie_of, get, hidden, join, post
from tests.support.servers import RunningServer, execute, fetch

NEW_PASSWORD = "another horse battery"
FORMS = (
    "me/password", "me/authenticator", "me/remove-password", "me/add-passkey", "me/remove-passkey",
    "me/end-others", "confirm", "operators/invite", "operators/role", "operators/suspend",
    "operators/enable", "operators/reset", "operators/end-sessions",
)  # fmt: skip


def sign_in(http: httpx.Client, operator: SignedIn, code: str, password: str = PASSWORD) -> httpx.Response:
    """Sign in with a password and a code."""
    form = {"name": operator.name, "password": password, "code": code}
    return http.post("/console/sign-in", data=form, headers={"User-Agent": "Firefox 1"})


def another_session(http: httpx.Client, operator: SignedIn) -> SignedIn:
    """Return the operator with a second session."""
    answer = sign_in(http, operator, operator.next_code())
    assert answer.status_code == 303
    return SignedIn(operator.name, cookie_of(answer), operator.secret)


def send(http: httpx.Client, operator: SignedIn, form: str, /, **fields: str) -> httpx.Response:
    """Send a form of the own page."""
    token = hidden(get(http, "/console/me", operator).text, "token")
    return post(http, f"/console/{form}", operator, token=token, **fields)


def forget_codes(server: RunningServer, operator: SignedIn) -> None:
    """Let the codes of this moment be good again, so that no test has to wait for the next one."""
    execute(server.database_url, f"update operator set last_step = 0 where name = '{operator.name}'")


def grow_old(server: RunningServer, operator: SignedIn) -> None:
    """Make the proofs of an operator's sessions old."""
    execute(
        server.database_url,
        "update operator_session set proved_at = now() - interval '16 minutes' where operator_id = "
        f"(select operator_id from operator where name = '{operator.name}')",
    )


def test_a_changed_password_ends_the_other_sessions(http: httpx.Client, server: RunningServer) -> None:
    operator = join(http, server)
    other = another_session(http, operator)
    for password in ("short", "x" * 201, ""):
        assert send(http, operator, "me/password", password=password).status_code == 403
    assert get(http, "/console/", other).status_code == 200
    assert send(http, operator, "me/password", password=NEW_PASSWORD).status_code == 303
    assert get(http, "/console/", other).status_code == 303
    assert get(http, "/console/", operator).status_code == 200
    forget_codes(server, operator)
    code = pyotp.TOTP(operator.secret).now()
    assert sign_in(http, operator, code).status_code == 403
    assert sign_in(http, operator, code, NEW_PASSWORD).status_code == 303


def test_a_new_authenticator_takes_the_place_of_the_old_one(
    http: httpx.Client, server: RunningServer
) -> None:
    operator = join(http, server)
    other = another_session(http, operator)
    page = get(http, "/console/me", operator).text
    [secret] = re.findall(r"<code>([A-Z2-7]{32})</code>", page)
    form = {"token": hidden(page, "token"), "key": hidden(page, "key")}
    assert secret != operator.secret
    # A code of the old one is wrong, and the form keeps its key.
    refused = post(http, "/console/me/authenticator", operator, **form, code=operator.next_code())
    assert refused.status_code == 403
    assert secret in refused.text
    code = pyotp.TOTP(secret).now()
    for key in ("0" * 32, "x", ""):
        wrong = {**form, "key": key, "code": code}
        assert post(http, "/console/me/authenticator", operator, **wrong).status_code == 403
    assert post(http, "/console/me/authenticator", operator, **form, code=code).status_code == 303
    assert get(http, "/console/", other).status_code == 303
    # The next key is another one, also in the same session.
    assert secret not in get(http, "/console/me", operator).text
    forget_codes(server, operator)
    assert sign_in(http, operator, pyotp.TOTP(operator.secret).now()).status_code == 403
    assert sign_in(http, operator, pyotp.TOTP(secret).now()).status_code == 303
    stored = "".join(str(tuple(row)) for row in fetch(server.database_url, "select * from operator"))
    assert secret not in stored


def test_what_changes_the_way_in_wants_a_recent_proof(http: httpx.Client, server: RunningServer) -> None:
    operator = join(http, server)
    grow_old(server, operator)
    page = get(http, "/console/me", operator).text
    assert "confirm that it is you" in page
    assert 'action="/console/me' not in page
    assert 'action="/console/operators' not in get(http, "/console/operators", operator).text
    for name in FORMS:
        if name != "confirm":
            answer = send(http, operator, name, password=NEW_PASSWORD, name="x")
            back = name.partition("/")[0]
            assert answer.headers["location"] == f"/console/confirm?for={back}", name
    asked = get(http, "/console/confirm?for=operators", operator).text
    assert hidden(asked, "token")
    code = operator.next_code()
    for password, wrong in ((PASSWORD, "000000"), ("wrong password", code), ("", "")):
        assert send(http, operator, "confirm", password=password, code=wrong).status_code == 403
    right = {"password": PASSWORD, "code": code, "for": "operators"}
    assert send(http, operator, "confirm", **right).headers["location"] == "/console/operators"
    assert 'action="/console/me' in get(http, "/console/me", operator).text
    # The code is good once, here and at the sign-in.
    assert send(http, operator, "confirm", **right).status_code == 403
    assert sign_in(http, operator, code).status_code == 403
    for back in ("//evil.example", "https://evil.example", "audit", ""):
        forget_codes(server, operator)
        again = {**right, "code": pyotp.TOTP(operator.secret).now(), "for": back}
        assert send(http, operator, "confirm", **again).headers["location"] == "/console/me", back


def test_guessing_codes_in_a_stolen_session_is_throttled(http: httpx.Client, server: RunningServer) -> None:
    operator = join(http, server)
    grow_old(server, operator)
    for _ in range(5):
        assert send(http, operator, "confirm", password=PASSWORD, code="000000").status_code == 403
    right = {"password": PASSWORD, "code": operator.next_code()}
    assert send(http, operator, "confirm", **right).status_code == 403
    query = "select count(*) from operator_action where action = 'operator.sign_in_failed' and operator = $1"
    assert fetch(server.database_url, query, operator.name)[0]["count"] == 5
    execute(server.database_url, f"update operator set locked_until = now() where name = '{operator.name}'")
    assert send(http, operator, "confirm", **right).status_code == 303


def test_sessions_are_listed_and_all_others_end(http: httpx.Client, server: RunningServer) -> None:
    operator = join(http, server)
    other = another_session(http, operator)
    page = get(http, "/console/me", operator).text
    assert page.count("(this one)") == 1
    assert "Firefox 1" in page
    assert send(http, operator, "me/end-others").headers["location"] == "/console/me?done=sessions"
    assert get(http, "/console/", other).status_code == 303
    assert "End all others" not in get(http, "/console/me", operator).text


def test_a_password_without_a_passkey_beside_it_stays(http: httpx.Client, server: RunningServer) -> None:
    operator = join(http, server)
    assert "last way" in send(http, operator, "me/remove-password").text
    assert sign_in(http, operator, operator.next_code()).status_code == 303


def test_no_form_about_people_is_taken_from_another_page_or_session(
    http: httpx.Client, server: RunningServer
) -> None:
    operator, other = join(http, server), join(http, server)
    foreign = hidden(get(http, "/console/me", other).text, "token")
    own = hidden(get(http, "/console/me", operator).text, "token")
    before = fetch(server.database_url, "select count(*) from operator_action")
    for name in FORMS:
        for token in ("", "0" * 64, foreign):
            answer = post(http, f"/console/{name}", operator, token=token, name=other.name, role="view")
            assert answer.status_code == 403, (name, token)
        for origin in ("", "null", "https://evil.example"):
            headers = {"Cookie": operator.cookie, "Origin": origin}
            form = {"token": own, "name": other.name, "role": "view"}
            answer = http.post(f"/console/{name}", data=form, headers=headers)
            assert answer.status_code == 403, (name, origin)
        # A link does nothing.
        query = f"token={own}&name={other.name}&role=view&password={NEW_PASSWORD}"
        assert get(http, f"/console/{name}?{query}", operator).status_code in (200, 404), name
    assert fetch(server.database_url, "select count(*) from operator_action") == before


def test_every_change_is_noted_in_its_own_commit(http: httpx.Client, server: RunningServer) -> None:
    operator = join(http, server)
    send(http, operator, "me/password", password=NEW_PASSWORD)
    _require_same_commit(server, operator, "operator.password_changed")
    page = get(http, "/console/me", operator).text
    [secret] = re.findall(r"<code>([A-Z2-7]{32})</code>", page)
    send(http, operator, "me/authenticator", key=hidden(page, "key"), code=pyotp.TOTP(secret).now())
    _require_same_commit(server, operator, "operator.authenticator_changed")


def _require_same_commit(server: RunningServer, operator: SignedIn, action: str) -> None:
    query = (
        "select operator.xmin::text = operator_action.xmin::text as is_same from operator_action "
        "join operator on name = subject where action = $1 and name = $2"
    )
    assert [row["is_same"] for row in fetch(server.database_url, query, action, operator.name)] == [True]
