"""The page of operators: who may change whom, what it does at once, and that an administrator is left."""

from urllib.parse import quote

import httpx
import pyotp
from click.testing import CliRunner

from fastpay.cli import commands
from tests.console.test_own_page import send
from tests.support.api import open_client
from tests.support.operators import PASSWORD, SignedIn, cookie_of, get, invite, join, secret_on
from tests.support.servers import RunningServer, SpawnServer, fetch, run_fastpay

ACTIONS = ("invite", "role", "suspend", "enable", "reset", "end-sessions")


def link_in(shown: str) -> str:
    """Return the path of the invitation that a page shows."""
    return "/console/invitation/" + shown.partition("/console/invitation/")[2].partition("<")[0]


def test_only_administrators_see_and_change_operators(http: httpx.Client, server: RunningServer) -> None:
    for role in ("view", "operate"):
        operator = join(http, server, role=role)
        assert get(http, "/console/operators", operator).status_code == 403
        assert "/console/operators" not in get(http, "/console/", operator).text
        for action in ACTIONS:
            fields = {"name": operator.name, "role": "admin"}
            assert send(http, operator, f"operators/{action}", **fields).status_code == 403, action
        query = "select role from operator where name = $1"
        assert fetch(server.database_url, query, operator.name)[0]["role"] == role
        query = "select count(*) from operator_action where operator = $1 and action like '%_refused'"
        assert fetch(server.database_url, query, operator.name)[0]["count"] == len(ACTIONS)


def test_an_administrator_invites_by_a_link_that_is_shown_once(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    name = f"Grace {ada.name}"
    shown = send(http, ada, "operators/invite", name=f" {name} ", role="operate")
    path = link_in(shown.text)
    assert str(http.base_url).rstrip("/") + path in shown.text
    assert path not in get(http, "/console/operators", ada).text
    secret = secret_on(http.get(path).text)
    form = {"password": PASSWORD, "code": pyotp.TOTP(secret).now()}
    grace = SignedIn(name, cookie_of(http.post(path, data=form)), secret)
    assert "(operate)" in get(http, "/console/", grace).text
    # Who has joined is not invited again by mistake.
    assert send(http, ada, "operators/invite", name=name, role="admin").status_code == 400
    assert get(http, "/console/", grace).status_code == 200
    for wrong in ("", " ", "x" * 101, "command line", "Command Line", "a\nb", "\0", "\u202e"):
        assert send(http, ada, "operators/invite", name=wrong, role="view").status_code == 400, wrong
    for role in ("", "owner", "ADMIN"):
        assert send(http, ada, "operators/invite", name="new", role=role).status_code == 400, role


def test_what_an_administrator_changes_holds_at_once(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    operator = join(http, server, role="view")
    named = {"name": operator.name}
    assert send(http, ada, "operators/role", **named, role="operate").status_code == 303
    assert "(operate)" in get(http, "/console/", operator).text
    assert send(http, ada, "operators/end-sessions", **named).status_code == 303
    assert get(http, "/console/", operator).status_code == 303
    form = {"name": operator.name, "password": PASSWORD, "code": operator.next_code()}
    signed = SignedIn(operator.name, cookie_of(http.post("/console/sign-in", data=form)), "")
    assert get(http, "/console/", signed).status_code == 200
    assert send(http, ada, "operators/suspend", **named).status_code == 303
    assert get(http, "/console/", signed).status_code == 303
    assert "suspended" in get(http, "/console/operators", ada).text
    assert send(http, ada, "operators/reset", **named).status_code == 400
    assert send(http, ada, "operators/enable", **named).status_code == 303
    # The session does not come back, the password is as it was.
    assert get(http, "/console/", signed).status_code == 303
    path = link_in(send(http, ada, "operators/reset", **named).text)
    assert http.post("/console/sign-in", data=form).status_code == 403
    assert secret_on(http.get(path).text) != operator.secret
    query = (
        "select action from operator_action where operator = $1 and subject like $2 || '%' order by action_id"
    )
    noted = [row["action"] for row in fetch(server.database_url, query, ada.name, operator.name)]
    assert noted == [
        "operator.role_changed", "operator.sessions_ended", "operator.suspended",
        "operator.reset_refused", "operator.enabled", "operator.reset",
    ]  # fmt: skip


def test_a_change_and_its_note_are_one_commit(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    operator = join(http, server, role="view")
    query = (
        "select operator.xmin::text = operator_action.xmin::text as is_same from operator_action "
        "join operator on subject like name || '%' where name = $1 order by action_id desc limit 1"
    )
    for action in ("role", "suspend", "enable", "reset"):
        send(http, ada, f"operators/{action}", name=operator.name, role="operate")
        assert fetch(server.database_url, query, operator.name)[0]["is_same"], action


def test_nobody_is_changed_who_does_not_exist_and_nobody_suspends_themselves(
    http: httpx.Client, server: RunningServer, ada: SignedIn
) -> None:
    for action in ("role", "suspend", "enable", "end-sessions"):
        for name in ("nobody", "", "\0", "command line"):
            fields = {"name": name, "role": "view"}
            assert send(http, ada, f"operators/{action}", **fields).status_code == 404, (action, name)
    for action in ("suspend", "reset"):
        assert send(http, ada, f"operators/{action}", name=ada.name).status_code == 400
    assert send(http, ada, "operators/nothing", name=ada.name).status_code == 404
    assert get(http, f"/console/operators/{quote(ada.name)}", ada).status_code == 404
    assert get(http, "/console/", ada).status_code == 200


def test_the_last_administrator_stays_also_for_the_command_line(spawn_server: SpawnServer) -> None:
    server = spawn_server()

    def run(*command: str) -> str:
        done = CliRunner().invoke(commands, ["operators", *command, "--database-url", server.database_url])
        return done.output if isinstance(done.exception, SystemExit | None) else str(done.exception)

    url = server.admin_url
    with open_client(url, headers={"Origin": url}) as http:
        ada = join(http, server, name="ada")
        for fields in ({"role": "view"}, {"role": "operate"}):
            answer = send(http, ada, "operators/role", name="ada", **fields)
            assert (answer.status_code, "last administrator" in answer.text) == (400, True)
        for command in ("role ada --role view", "suspend ada"):
            assert "last administrator" in run(*command.split()), command
        # Who was invited and has not joined could not help.
        link = run("invite", "bob", "--role", "admin")
        assert link.startswith("http://127.0.0.1:8001/console/invitation/")
        assert "last administrator" in run("suspend", "ada")
        path = link.strip().removeprefix("http://127.0.0.1:8001")
        form = {"password": PASSWORD, "code": pyotp.TOTP(secret_on(http.get(path).text)).now()}
        bob = SignedIn("bob", cookie_of(http.post(path, data=form)), "")
        assert "has joined" in run("invite", "bob")
        assert "bob has the role operate" in run("role", "bob", "--role", "operate")
        assert "(operate)" in get(http, "/console/", bob).text
        assert "all sessions of bob have ended" in run("end-sessions", "bob")
        assert get(http, "/console/", bob).status_code == 303
        run("role", "bob", "--role", "admin")
        assert "ada is suspended" in run("suspend", "ada")
        assert get(http, "/console/", ada).status_code == 303
        assert "suspended: enable it first" in run("reset", "ada")
        assert "ada is enabled" in run("enable", "ada")
        link = run("reset", "ada", "--url", "https://ops.example/")
        assert link.startswith("https://ops.example/console/invitation/")
        shown = run("list")
        assert [name for name in ("ada", "bob", "admin", "invited", "active") if name not in shown] == []
        for command in ("suspend", "enable", "end-sessions", "reset"):
            assert "there is no operator named 'eve'" in run(command, "eve"), command
        for name in (" ", "command line", "x" * 101):
            assert "Invalid value" in run("invite", name), name
        query = "select distinct operator from operator_action where subject like 'bob%' order by 1"
        assert [row["operator"] for row in fetch(server.database_url, query)] == ["bob", "command line"]


def test_an_invitation_by_the_command_line_names_where_the_console_is(server: RunningServer) -> None:
    name, _ = invite(server)
    place = ("--database-url", server.database_url)
    environment = {"FASTPAY_CONSOLE_URL": "https://ops.example"}
    done = run_fastpay("operators", "invite", name, *place, environment=environment)
    assert done.stdout.startswith("https://ops.example/console/invitation/")
