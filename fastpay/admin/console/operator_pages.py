"""The page on which administrators invite operators, and decide what they may do."""

from fastpay.admin.console.answers import Answer, Shown, moved
from fastpay.admin.console.names import name_problem
from fastpay.admin.console.operator_ports import OperatorRoster, Outcome
from fastpay.admin.console.own_pages import OperatorPage, ask_first
from fastpay.admin.console.ports import Operator
from fastpay.admin.console.visits import Visit
from fastpay.errors import FastpayError, Forbidden, InvalidRequest, NotFound

ROLES = ("view", "operate", "admin")
_PAGE = "/console/operators"
_PROBLEMS: dict[Outcome, FastpayError] = {
    "missing": NotFound("There is no such operator."),
    "last_admin": InvalidRequest(
        "This is the last administrator who can sign in. Make somebody else an administrator first."
    ),
}
# What the forms ask for.
ACTIONS = frozenset(("invite", "reset", "role", "suspend", "enable", "end-sessions"))


class OperatorPages:
    """The page and its forms. `url` is where browsers find the console, None for where they say."""

    def __init__(self, roster: OperatorRoster, url: str | None) -> None:
        self._roster = roster
        self._url = url

    def find(self, name: str, method: str) -> OperatorPage | None:
        """Return the page of a path below the console's root."""
        folder, _, action = name.partition("/")
        if folder != "operators":
            return None
        if method != "POST":
            return None if action else self._show
        return self._change if action in ACTIONS else None

    async def _show(self, operator: Operator, _visit: Visit) -> Answer | Shown:
        """Raises: Forbidden."""
        _require_admin(operator)
        return Shown(200, "operators.html", {"operators": await self._roster.list(), "roles": ROLES})

    async def _change(self, operator: Operator, visit: Visit) -> Answer | Shown:
        """Raises: FastpayError."""
        _require_admin(operator)
        if not operator.is_proved:
            return ask_first("operators")
        action, name = visit.path.rpartition("/")[2], visit.form.get("name", "").strip()
        problem = name_problem(name)
        if problem and action == "invite":
            raise InvalidRequest(f"Choose another name: {problem}.")
        if problem:
            raise _PROBLEMS["missing"]
        if action in ("suspend", "reset") and name == operator.name:
            raise InvalidRequest("Ask another administrator, or use your own page.")
        return await self._carry_out(operator, visit, action, name)

    async def _carry_out(self, operator: Operator, visit: Visit, action: str, name: str) -> Answer | Shown:
        roster, actor = self._roster, operator.name
        if action == "invite":
            token = await roster.invite(actor, name, _role_in(visit))
            if token is None:
                raise InvalidRequest(
                    "Somebody of this name has joined. Choose another name, or reset that operator."
                )
            return self._show_link(visit, name, token)
        if action == "reset":
            token = await roster.reset(actor, name)
            if token is None:
                raise InvalidRequest("There is no such operator, or it is suspended: enable it first.")
            return self._show_link(visit, name, token)
        match action:
            case "role":
                outcome = await roster.set_role(actor, name, _role_in(visit))
            case "suspend":
                outcome = await roster.suspend(actor, name)
            case "enable":
                outcome = await roster.enable(actor, name)
            case _:
                outcome = await roster.end_sessions(actor, name)
        if outcome != "done":
            raise _PROBLEMS[outcome]
        return moved(_PAGE)

    def _show_link(self, visit: Visit, name: str, token: str) -> Shown:
        """Show an invitation, this once: only its digest is stored."""
        origin = self._url or visit.headers.get("origin", "")
        return Shown(200, "invited.html", {"name": name, "link": f"{origin}/console/invitation/{token}"})


def _require_admin(operator: Operator) -> None:
    if operator.role != "admin":
        raise Forbidden("Only administrators see and change operators. Ask one of them for the role admin.")


def _role_in(visit: Visit) -> str:
    """Return the role that a form names. Raises: InvalidRequest."""
    role = visit.form.get("role", "")
    if role not in ROLES:
        raise InvalidRequest("Choose a role: view, operate or admin.")
    return role
