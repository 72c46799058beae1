"""Signing in with a passkey: what works, and what somebody who is not its owner may try."""

import asyncio
import json
import os
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
import pytest

from tests.console.test_attacks import EVIL, Elements
from tests.support.api import ask, open_client
from tests.support.authenticator import PRESENT, VERIFIED, Authenticator, options_on, to_text
from tests.support.operators import PASSWORD, SignedIn, cookie_of, get, hidden, invite, join, post
from tests.support.servers import RunningServer, execute, fetch

REFUSED = "This passkey was not accepted"


@pytest.fixture(scope="module")
def local(server: RunningServer) -> Iterator[httpx.Client]:
    """A client that finds the console by a name: passkeys do not work at an address."""
    url = server.admin_url.replace("127.0.0.1", "localhost")
    with open_client(url, headers={"Origin": url}) as client:
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield client


@pytest.fixture(autouse=True)
def forget(local: httpx.Client) -> None:
    """Begin as a browser that was never here."""
    local.headers.pop("Cookie", None)


def asked(local: httpx.Client) -> dict[str, Any]:
    """Return what the sign-in asks of a passkey. The client keeps the cookie, as browsers do on localhost."""
    shown = local.get("/console/sign-in")
    if "set-cookie" in shown.headers:
        local.headers["Cookie"] = cookie_of(shown)
    return options_on(shown.text, "ask")


def origin_of(local: httpx.Client) -> str:
    """Return the console's origin."""
    return str(local.base_url).rstrip("/")


def enter(local: httpx.Client, server: RunningServer, **wanted: str) -> tuple[SignedIn, Authenticator]:
    """Join with a passkey."""
    device = Authenticator(count=1)
    name, path = invite(server, **wanted)
    options = options_on(local.get(path).text, "make")
    form = {"credential": device.make(options, origin_of(local)), "passkey": "my phone"}
    answer = local.post(path, data=form)
    assert answer.status_code == 303, answer.text
    return SignedIn(name, cookie_of(answer), ""), device


def add(local: httpx.Client, operator: SignedIn, device: Authenticator, name: str = "key") -> httpx.Response:
    """Add a passkey on the own page."""
    page = get(local, "/console/me", operator).text
    credential = device.make(options_on(page, "make"), origin_of(local))
    form = {"token": hidden(page, "token"), "credential": credential, "passkey": name}
    return post(local, "/console/me/add-passkey", operator, **form)


def sign_in(local: httpx.Client, device: Authenticator, **changes: Any) -> httpx.Response:
    """Sign in as a browser does. The counter goes on by one."""
    device.count += 1
    options = asked(local)
    return local.post(
        "/console/sign-in", data={"credential": device.sign(options, origin_of(local), **changes)}
    )


def test_a_passkey_is_a_way_in_of_its_own(local: httpx.Client, server: RunningServer) -> None:
    operator, device = enter(local, server)
    answer = sign_in(local, device)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
    signed = SignedIn(operator.name, cookie_of(answer), "")
    assert signed.cookie != operator.cookie
    shown = get(local, "/console/me", signed).text
    assert "my phone" in shown
    assert operator.name in shown
    # There is no password beside it, and none is good.
    form = {"name": operator.name, "password": PASSWORD, "code": "123456"}
    assert local.post("/console/sign-in", data=form).status_code == 403
    query = "select way from operator_session join operator using (operator_id) where name = $1 order by 1"
    ways = [row["way"] for row in fetch(server.database_url, query, operator.name)]
    assert ways == ["invitation", "passkey"]
    # A device without a counter says 0 each time.
    plain = Authenticator()
    assert add(local, signed, plain).headers["location"] == "/console/me?done=passkey"
    for _ in range(2):
        plain.count = -1
        assert sign_in(local, plain).status_code == 303


def test_the_options_ask_for_a_person_and_name_nobody(local: httpx.Client, server: RunningServer) -> None:
    options = asked(local)
    assert (options["rpId"], options["userVerification"]) == ("localhost", "required")
    assert not options.get("allowCredentials")
    made = options_on(local.get(invite(server)[1]).text, "make")
    assert made["authenticatorSelection"]["userVerification"] == "required"
    assert made["authenticatorSelection"]["residentKey"] == "required"
    assert asked(local)["challenge"] != options["challenge"]
    # At an address there are no passkeys, and the page says where there are.
    at_address = ask(f"{server.admin_url}/console/sign-in").text
    assert "data-passkey" not in at_address
    assert f"{origin_of(local)}/console/" in at_address


def test_what_is_signed_by_others_or_for_others_is_refused(
    local: httpx.Client, server: RunningServer
) -> None:
    _, device = enter(local, server)
    _, other = enter(local, server)
    stranger = Authenticator(count=9)
    stranger.user = device.user
    thief = Authenticator(count=9)
    thief.credential_id, thief.user = device.credential_id, device.user
    for changes in (
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:1"},
        {"origin": "null"},
        {"rp_id": "evil.example"},
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"type": "webauthn.create"},
        {"user": other.user},
        {"user": b""},
        {"challenge": to_text(os.urandom(56))},
        {"challenge": ""},
    ):
        device.count += 1
        options = asked(local)
        origin = str(changes.pop("origin", origin_of(local)))
        given: Any = changes
        answer = local.post("/console/sign-in", data={"credential": device.sign(options, origin, **given)})
        assert (answer.status_code, "alert" in answer.text) == (403, True), changes
        assert "__Host-fastpay=" not in answer.headers.get("set-cookie", ""), changes
    for other_device in (stranger, thief):
        assert REFUSED in sign_in(local, other_device).text
    assert sign_in(local, device).status_code == 303


def test_a_challenge_is_good_once_for_one_browser_and_one_purpose(
    local: httpx.Client, server: RunningServer
) -> None:
    operator, device = enter(local, server)
    options = asked(local)
    device.count += 1
    used = device.sign(options, origin_of(local))
    assert local.post("/console/sign-in", data={"credential": used}).status_code == 303
    # The same again, and the same challenge signed anew.
    assert local.post("/console/sign-in", data={"credential": used}).status_code == 403
    device.count += 1
    again = device.sign(options, origin_of(local))
    assert REFUSED in local.post("/console/sign-in", data={"credential": again}).text
    # What another browser was asked.
    taken = asked(local)
    local.headers.pop("Cookie")
    asked(local)
    device.count += 1
    foreign = device.sign(taken, origin_of(local))
    assert "another page" in local.post("/console/sign-in", data={"credential": foreign}).text
    # What a session was asked for another purpose.
    page = get(local, "/console/me", operator).text
    for kind, path in (("confirm", "/console/confirm"), ("add", "/console/me")):
        shown = get(local, path, operator).text
        found = options_on(shown, "ask" if kind == "confirm" else "make")
        mixed = device.sign({"rpId": "localhost", "challenge": found["challenge"]}, origin_of(local))
        assert "another page" in local.post("/console/sign-in", data={"credential": mixed}).text, kind
    token = hidden(page, "token")
    form = {"token": token, "credential": device.sign(asked(local), origin_of(local))}
    assert post(local, "/console/confirm", operator, **form).status_code == 403


def test_a_counter_that_goes_back_is_refused_and_noted(local: httpx.Client, server: RunningServer) -> None:
    operator, device = enter(local, server)
    device.count = 40
    assert sign_in(local, device).status_code == 303
    for count in (40, 20, -1):
        device.count = count
        assert "may have been copied" in sign_in(local, device).text, count
    query = "select count(*) from operator_action where action = 'passkey.clone_suspected' and operator = $1"
    assert fetch(server.database_url, query, operator.name)[0]["count"] == 3
    # Whoever has no key for it cannot fill the trail.
    forged = Authenticator()
    forged.credential_id, forged.user = device.credential_id, device.user
    assert sign_in(local, forged).status_code == 403
    assert fetch(server.database_url, query, operator.name)[0]["count"] == 3
    device.count = 41
    assert sign_in(local, device).status_code == 303


def test_two_who_answer_one_challenge_at_a_time_get_one_session(
    local: httpx.Client, server: RunningServer
) -> None:
    _, device = enter(local, server)
    options = asked(local)
    visitor = local.headers["Cookie"]
    forms = []
    for _ in range(6):
        device.count += 1
        forms.append({"credential": device.sign(options, origin_of(local))})

    async def race() -> list[int]:
        url = origin_of(local)
        headers = {"Origin": url, "Cookie": visitor}
        async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as many:
            sent = (many.post(f"{url}/console/sign-in", data=form) for form in forms)
            return [answer.status_code for answer in await asyncio.gather(*sent)]

    assert sorted(asyncio.run(race())) == [303] + [403] * 5


def test_a_new_passkey_is_made_by_a_person_for_this_page_and_is_nobody_elses(
    local: httpx.Client, server: RunningServer
) -> None:
    operator, device = enter(local, server)
    other, _ = enter(local, server)
    # One that another operator has, and one's own again.
    assert "registered already" in add(local, other, device).text
    assert "registered already" in add(local, operator, device).text
    page = get(local, "/console/me", operator).text
    options, token = options_on(page, "make"), hidden(page, "token")
    assert [one["id"] for one in options["excludeCredentials"]] == [to_text(device.credential_id)]
    theirs = options_on(get(local, "/console/me", other).text, "make")
    new = Authenticator()
    origin = origin_of(local)
    for credential in (
        new.make(options, "https://evil.example"),
        new.make(options, origin, flags=PRESENT),
        new.make(options, origin, type="webauthn.get"),
        new.make({**options, "rp": {"id": "evil.example"}}, origin),
        new.make(theirs, origin),
        new.make({**options, "challenge": to_text(os.urandom(56))}, origin),
        new.sign({"rpId": "localhost", "challenge": options["challenge"]}, origin),
    ):
        form = {"token": token, "credential": credential, "passkey": "key"}
        assert post(local, "/console/me/add-passkey", operator, **form).status_code == 403, credential
    for name in ("", " ", "x" * 61, "a\nb", "\0"):
        form = {"token": token, "credential": new.make(options, origin), "passkey": name}
        assert "name of a passkey" in post(local, "/console/me/add-passkey", operator, **form).text, name
    form = {"token": token, "credential": new.make(options, origin), "passkey": "key"}
    assert post(local, "/console/me/add-passkey", operator, **form).status_code == 303
    another = {"token": token, "credential": Authenticator().make(options, origin), "passkey": "key"}
    assert post(local, "/console/me/add-passkey", operator, **another).status_code == 403


def test_the_last_way_in_cannot_be_removed_even_by_two_at_a_time(
    local: httpx.Client, server: RunningServer
) -> None:
    operator, first = enter(local, server)
    assert "last way" in _remove(local, operator, _passkeys(server, operator)[0]).text
    second = Authenticator()
    add(local, operator, second)
    page = get(local, "/console/me", operator).text
    passkeys = _passkeys(server, operator)

    async def race() -> list[int]:
        url = f"{origin_of(local)}/console/me/remove-passkey"
        headers = {"Origin": origin_of(local), "Cookie": operator.cookie}
        async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as many:
            forms = [{"token": hidden(page, "token"), "passkey_id": one} for one in passkeys]
            return [
                answer.status_code
                for answer in await asyncio.gather(*(many.post(url, data=form) for form in forms))
            ]

    assert sorted(asyncio.run(race())) == [303, 403]
    assert len(_passkeys(server, operator)) == 1
    left = [device for device in (first, second) if sign_in(local, device).status_code == 303]
    assert len(left) == 1


def test_nobody_removes_or_uses_the_passkey_of_another(local: httpx.Client, server: RunningServer) -> None:
    operator, device = enter(local, server)
    other, others = enter(local, server)
    add(local, other, Authenticator())
    for passkey_id in (*_passkeys(server, other), "0" * 32, "x", ""):
        assert "no such passkey" in _remove(local, operator, passkey_id).text, passkey_id
    assert len(_passkeys(server, other)) == 2
    shown = get(local, "/console/confirm", operator).text
    for signer, status in ((others, 403), (device, 303)):
        signer.count += 1
        credential = signer.sign(options_on(shown, "ask"), origin_of(local))
        form = {"token": hidden(shown, "token"), "credential": credential, "for": "me"}
        assert post(local, "/console/confirm", operator, **form).status_code == status


def test_a_removed_passkey_and_one_of_a_suspended_operator_let_nobody_in(
    local: httpx.Client, server: RunningServer
) -> None:
    operator, device = enter(local, server)
    signed = SignedIn(operator.name, cookie_of(sign_in(local, device)), "")
    add(local, operator, Authenticator())
    assert _remove(local, operator, _passkeys(server, operator)[0]).status_code == 303
    # The other sessions end with it.
    assert get(local, "/console/", signed).status_code == 303
    assert get(local, "/console/", operator).status_code == 200
    assert sign_in(local, device).status_code == 403
    other, others = enter(local, server)
    execute(server.database_url, f"update operator set disabled = true where name = '{other.name}'")
    assert REFUSED in sign_in(local, others).text


def test_wrong_passwords_do_not_lock_a_passkey_out(local: httpx.Client, server: RunningServer) -> None:
    operator = join(local, server)
    device = Authenticator()
    assert add(local, operator, device).status_code == 303
    wrong = {"name": operator.name, "password": "wrong password", "code": "000000"}
    for _ in range(6):
        assert local.post("/console/sign-in", data=wrong).status_code == 403
    device.count = -1
    assert sign_in(local, device).status_code == 303


def test_whatever_a_stranger_sends_is_refused_with_a_page(local: httpx.Client, server: RunningServer) -> None:
    _, device = enter(local, server)
    asked(local)
    right = json.loads(device.sign({"rpId": "localhost", "challenge": to_text(bytes(56))}, origin_of(local)))
    junk: list[Any] = [
        1,
        [],
        {},
        None,
        "x",
        {**right, "response": None},
        {**right, "type": "x"},
        {**right, "id": 1},
    ]
    junk += [{**right, "response": {**right["response"], name: "AA"}} for name in right["response"]]
    junk += [{**right, "response": {**right["response"], name: None}} for name in right["response"]]
    for text in ("{", "\0", "[" * 5000, *map(json.dumps, junk)):
        answer = local.post("/console/sign-in", data={"credential": text})
        assert (answer.status_code, "alert" in answer.text) == (403, True), text
    assert local.post("/console/sign-in", data={"credential": "x" * 20_000}).status_code == 403
    path = invite(server)[1]
    options = options_on(local.get(path).text, "make")
    made = json.loads(Authenticator().make(options, origin_of(local)))
    for attestation in (b"", b"\xa0", b"\xff" * 99, bytes(4000), bytes([0x9F]) * 500):
        made["response"]["attestationObject"] = to_text(attestation)
        form = {"credential": json.dumps(made), "passkey": "key"}
        assert local.post(path, data=form).status_code == 403
    assert "console_failed" not in server.output


def test_names_of_passkeys_and_browsers_are_shown_as_text(local: httpx.Client, server: RunningServer) -> None:
    operator, device = enter(local, server, name=f"{EVIL[:80]} {os.urandom(4).hex()}")
    evil = EVIL[:60]
    local.headers["User-Agent"] = EVIL
    signed = SignedIn(operator.name, cookie_of(sign_in(local, device)), "")
    del local.headers["User-Agent"]
    assert add(local, signed, Authenticator(), evil).status_code == 303
    for path in ("/console/me", "/console/operators", "/console/audit", "/console/confirm"):
        shown = get(local, path, signed).text
        elements = Elements()
        elements.feed(shown)
        assert "alert(1)" in shown, path
        assert elements.active == [], path


def _passkeys(server: RunningServer, operator: SignedIn) -> list[str]:
    query = (
        "select passkey_id from operator_passkey join operator using (operator_id) "
        "where operator.name = $1 order by operator_passkey.created_at"
    )
    return [row["passkey_id"].hex for row in fetch(server.database_url, query, operator.name)]


def _remove(local: httpx.Client, operator: SignedIn, passkey_id: str) -> httpx.Response:
    token = hidden(get(local, "/console/me", operator).text, "token")
    return post(local, "/console/me/remove-passkey", operator, token=token, passkey_id=passkey_id)
