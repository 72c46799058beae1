"""Writes docs/COMPATIBILITY.md: for each path and parameter what is served, without effect, and refused.

What is accepted comes from the table of routes and the params types, what the dialect has beside it from the
SDK's own types of parameters. Only what is accepted without effect is said here. Run
`python -m tests.support.compatibility` after a change of parameters.
"""

import importlib
import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import stripe

from fastpay.api.accepted_values import Accepted, accepted_by
from fastpay.api.app import ROUTES
from fastpay.api.resources import disputes
from fastpay.api.routes import Route

PAGE = Path("docs/COMPATIBILITY.md")
# Parameters that are accepted, and shown where the object has a field, but change nothing.
WITHOUT_EFFECT = frozenset(
    {
        "allow_redisplay",
        "amount_details",
        "api_version",
        "attach_to_self",
        "connect",
        "controller",
        "flow_directions",
        "fulfillment_date",
        "level3",
        "on_behalf_of",
        "payment_details",
        "payment_method_options[card][network]",
        "payment_method_options[card][require_cvc_recollection]",
        "payment_method_options[card][statement_descriptor_suffix_kana]",
        "payment_method_options[card][statement_descriptor_suffix_kanji]",
        "payment_method_options[card][setup_credential_usage]",
        "payment_method_options[card][stored_credential_usage]",
        "preferred_locales",
        "radar_options",
        "receipt_email",
        "tax_exempt",
        "use_stripe_sdk",
    }
)
# Parameters that name a file.
_NAMES_OF_FILES = frozenset(f"evidence[{name}]" for name in disputes.FILES)
# Methods of the SDK that are named otherwise than their paths.
_NAMES = {"methods": "payment_methods", "sources": "payment_sources"}
_OF_THE_CLIENT = frozenset(
    (
        "api_key",
        "content_type",
        "expand",
        "headers",
        "idempotency_key",
        "max_network_retries",
        "stripe_account",
        "stripe_context",
        "stripe_version",
    )
)
_INTRODUCTION = """# Compatibility

What is served of the Stripe dialect, parameter by parameter. `python -m tests.support.compatibility` writes
this page from the table of routes, the types of the parameters, and the parameters that the Python SDK
{version} knows. A test compares them.

- **Served**: accepted, with the effect that the dialect gives it. Choices are in parentheses.
- **Without effect**: accepted, and shown where the object has a field.
- **Refused**: known to the SDK, and 400 `parameter_unknown` here, with its name. What names an uploaded file
  is 400 `resource_missing`, since there are no files.

Every request also accepts `expand[]`. A path that cannot be expanded is 400, so no field is missing silently.
A path that is not on this page is 404, except those of the ledger ([LEDGER.md](LEDGER.md)).
"""


def served(
    accepted: Accepted, path: str = "", open_structs: tuple[type, ...] = ()
) -> Iterator[tuple[str, str]]:
    """Yield the parameters that are accepted, down to values, each with its choices."""
    fields = accepted.fields or (accepted.elements.fields if accepted.elements is not None else None)
    if fields is None or accepted.struct_type in open_structs:
        yield path + ("[]" if accepted.elements is not None else ""), _choices(accepted)
        return
    if accepted.integer is not None:
        yield path, ""
    below = path + ("[]" if accepted.elements is not None and not accepted.fields else "")
    for name, inner in fields.items():
        if below or name not in _OF_THE_CLIENT:
            struct_type = accepted.struct_type or object
            yield from served(inner, f"{below}[{name}]" if below else name, (*open_structs, struct_type))


def _choices(accepted: Accepted) -> str:
    texts = [*accepted.texts, *map(str, accepted.integers)]
    if texts and accepted.boolean:
        texts = ["true", "false", *texts]
    return f" ({', '.join(texts)})" if texts and accepted.text is None else ""


def known_to_the_sdk(route: Route) -> type[Any] | None:
    """Return the SDK's own type of a route's parameters, None where it has no such method."""
    pieces = [_NAMES.get(piece, piece) for piece in route.path.removeprefix("/v1/").split("/")]
    nouns = [_singular(piece) for piece in pieces if piece.isidentifier()]
    if pieces[-1].startswith("{"):
        actions = [{"GET": "retrieve", "POST": "update", "DELETE": "delete"}[route.method]]
    elif route.method == "GET":
        actions = ["list", "retrieve"] if pieces[-1] != _singular(pieces[-1]) else ["retrieve"]
    else:
        # Of what there is one, a request can only change it.
        actions = ["create", "update"] if pieces[-1] == _singular(pieces[-1]) else ["create"]
    names = ["_".join([*nouns, action]) for action in actions]
    # The last piece may be the action itself.
    names.append("_".join([*nouns[:-1], pieces[-1]]))
    # Or it is what the resource before it does: `charge_list_refunds`.
    last = pieces[-1] if actions[0] == "list" else nouns[-1]
    names.append("_".join([*nouns[:-1], actions[0], last]))
    # Or it is one thing with the name of several: `customer_funding_instructions_create`.
    names.append("_".join([*nouns[:-1], pieces[-1], actions[0]]))
    for name in names:
        try:
            module = importlib.import_module(f"stripe.params._{name}_params")
        except ModuleNotFoundError:
            continue
        found: type[Any] = getattr(module, "".join(map(str.title, name.split("_"))) + "Params")
        return found
    return None


def refused(accepted: Accepted, known: type[Any], path: str = "") -> Iterator[str]:
    """Yield the parameters that the SDK knows and that are not accepted, also inside of those that are."""
    fields = accepted.fields or (accepted.elements.fields if accepted.elements is not None else None) or {}
    module = importlib.import_module(known.__module__)
    for name, annotation in known.__annotations__.items():
        here = f"{path}[{name}]" if path else name
        if name not in fields:
            if path or name not in _OF_THE_CLIENT:
                yield here
            continue
        named = [getattr(module, word, None) for word in re.findall(r"\w+", str(annotation))]
        for inner in named:
            if isinstance(inner, type) and hasattr(inner, "__required_keys__"):
                yield from refused(fields[name], inner, here)
                break


def _singular(noun: str) -> str:
    return noun.removesuffix("s")


def render() -> str:
    """Return the page."""
    lines = [_INTRODUCTION.format(version=sdk_version())]
    resource = ""
    for route in sorted(described_routes(), key=_group):
        if _group(route) != resource:
            resource = _group(route)
            lines.append(f"## {resource.replace('_', ' ').capitalize()}\n")
        lines.extend(_described(route))
    return "\n".join(lines).rstrip() + "\n"


def described_routes() -> list[Route]:
    """Return the routes of the dialect, without those of the ledger."""
    return [route for route in ROUTES if _group(route) != "ledger"]


def _group(route: Route) -> str:
    pieces = route.path.removeprefix("/v1/").split("/")
    return pieces[1] if pieces[0] == "test_helpers" else pieces[0]


def _described(route: Route) -> list[str]:
    accepted = accepted_by(route.endpoint.contract.params)
    items = list(served(accepted))
    silent = [name for name, _ in items if is_without_effect(name)]
    known = known_to_the_sdk(route)
    missing = [name for name, _ in items if name in _NAMES_OF_FILES]
    lists = {
        "Served": [f"{name}{choices}" for name, choices in items if name not in {*silent, *missing}],
        "Without effect": _outermost(silent),
        "Refused": [] if known is None else sorted([*refused(accepted, known), *missing]),
    }
    lines = [f"- **{title}**: {_joined(names)}" for title, names in lists.items() if names]
    wrapped = [textwrap.fill(line, 120, subsequent_indent="  ", break_on_hyphens=False) for line in lines]
    return [f"### {route.method} {route.path}\n", *(wrapped or ["No parameters."]), ""]


def is_without_effect(name: str) -> bool:
    """Tell whether a parameter, or what it is part of, changes nothing."""
    return any(is_within(name, one) for one in WITHOUT_EFFECT)


def is_within(name: str, whole: str) -> bool:
    """Tell whether a parameter is another one, or a part of it."""
    return name.startswith(whole) and name[len(whole) :][:1] in {"", "["}


def _outermost(silent: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(next(one for one in WITHOUT_EFFECT if is_within(name, one)) for name in silent))


def _joined(names: Iterable[str]) -> str:
    """Return names in code, those inside of one object together: `created[gt, gte]`."""
    groups: dict[str, list[str]] = {}
    for name in names:
        path, blank, choices = name.partition(" ")
        parent, bracket, leaf = path.removesuffix("[]").rpartition("[")
        leaf = leaf.removesuffix("]") + path[len(path.removesuffix("[]")) :] + blank + choices
        groups.setdefault(parent if bracket else name, []).extend([leaf] if bracket else [])
    return ", ".join(
        f"`{name}[{', '.join(leaves)}]`" if leaves else f"`{name}`" for name, leaves in groups.items()
    )


def sdk_version() -> str:
    """Return the release of the SDK that is installed."""
    version = getattr(stripe, "VERSION", None) or importlib.import_module("stripe._version").VERSION
    return str(version)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
