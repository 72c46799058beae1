"""What searches mean, and that the terms of the index never leave out what a query finds."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import Charge, Customer, PaymentIntent
from fastpay.domain.search import FIELDS, Clause, Query, is_searchable, matches
from fastpay.domain.search_terms import NUMBER_MAX, Conjunct, Entry, Terms
from tests.support.world import SCOPE, World

WORLD = World()
INTENT = WORLD.pay(1999, metadata={"order": "A-1"})
CHARGE = WORLD.charge_of(INTENT)
CUSTOMER = Customer(id="cus_" + "1" * 32, created=5, name="Ada Stra\u00dfe", metadata={"order": "A-1"})


def clause(field: str, operator: str, value: str | int | None, **more: object) -> Clause:
    """Return a clause."""
    return Clause(field=field, operator=operator, value=value, **more)  # type: ignore[arg-type]


def terms_of(wanted: Clause, scope: Scope = SCOPE, kind: str = "pi") -> tuple[int, ...]:
    """Return the terms that a clause asks for."""
    (conjunct,) = Terms(scope, kind).conjuncts(Query(kind=kind, clauses=(wanted,)))
    return conjunct.every


def accepts(conjunct: Conjunct, entry: Entry, created: int) -> bool:
    """Do what the statements of the store do."""
    terms = set(entry.terms)
    return (
        terms >= set(conjunct.every)
        and not terms & set(conjunct.none)
        and conjunct.amount_min <= (entry.amount or 0) <= conjunct.amount_max
        and conjunct.created_min <= created <= conjunct.created_max
    )


@pytest.mark.parametrize(
    ("wanted", "is_found"),
    [
        (clause("name", ":", "ADA STRASSE"), True),
        (clause("name", "~", "STRASS"), True),
        (clause("name", "~", "strassen"), False),
        (clause("email", ":", None), True),
        (clause("name", ":", None), False),
        (clause("metadata", ":", "a-1", key="order"), True),
        (clause("metadata", ":", "a-1", key="Order"), False),
        (clause("metadata", ":", None, key="other"), True),
        (clause("created", ">", 5), False),
        (clause("created", ">=", 5), True),
    ],
)
def test_a_condition_holds_or_its_negation_does(wanted: Clause, is_found: bool) -> None:
    negation = msgspec.structs.replace(wanted, negated=True)
    assert matches(Query(kind="cus", clauses=(wanted,)), CUSTOMER) is is_found
    assert matches(Query(kind="cus", clauses=(negation,)), CUSTOMER) is not is_found


def test_what_is_of_another_kind_or_deleted_is_not_found() -> None:
    query = Query(kind="cus", clauses=(clause("created", ">=", 0),))
    assert matches(query, CUSTOMER)
    assert not matches(query, INTENT)
    deleted = msgspec.structs.replace(CUSTOMER, deleted=True)
    assert not matches(query, deleted)
    assert not is_searchable(deleted)
    assert not is_searchable(WORLD.save_card())


def test_one_text_has_other_terms_in_another_field_kind_tenant_and_mode() -> None:
    wanted = clause("metadata", ":", "1", key="a")
    scopes = (SCOPE, SCOPE._replace(livemode=True), SCOPE._replace(tenant_id="0" * 31 + "2"))
    found = {terms_of(wanted, scope, kind) for scope in scopes for kind in ("pi", "ch")}
    found.add(terms_of(clause("currency", ":", "1")))
    found.add(terms_of(clause("metadata", ":", "11", key="a")))
    found.add(terms_of(clause("metadata", ":", "1", key="a1")))
    assert len(found) == 9


@pytest.mark.parametrize(
    ("operator", "negated", "bounds"),
    [
        (":", False, (7, 7)),
        (">", False, (8, NUMBER_MAX)),
        (">=", False, (7, NUMBER_MAX)),
        ("<", False, (0, 6)),
        ("<=", False, (0, 7)),
        (":", True, (0, NUMBER_MAX)),
        (">", True, (0, 7)),
        (">=", True, (0, 6)),
        ("<", True, (7, NUMBER_MAX)),
        ("<=", True, (8, NUMBER_MAX)),
    ],
)
@pytest.mark.parametrize("field", ["amount", "created"])
def test_a_comparison_bounds_what_is_looked_at(
    field: str, operator: str, negated: bool, bounds: tuple[int, int]
) -> None:
    wanted = clause(field, operator, 7, negated=negated)
    (conjunct,) = Terms(SCOPE, "pi").conjuncts(Query(kind="pi", clauses=(wanted,)))
    assert (getattr(conjunct, f"{field}_min"), getattr(conjunct, f"{field}_max")) == bounds


def test_not_to_have_one_status_is_to_have_another() -> None:
    """So that the index leads to the few that have none of the usual one."""
    refused = clause("status", ":", "Succeeded", negated=True)
    conjuncts = Terms(SCOPE, "ch").conjuncts(Query(kind="ch", clauses=(refused,)))
    assert [len(conjunct.every) for conjunct in conjuncts] == [1, 1]
    more = (refused, clause("metadata", ":", "1", key="a"))
    assert len(Terms(SCOPE, "ch").conjuncts(Query(kind="ch", clauses=more))) == 1


_OBJECTS: dict[str, list[Customer | PaymentIntent | Charge]] = {
    "cus": [CUSTOMER, msgspec.structs.replace(CUSTOMER, name=None, email="a@b.c", created=9)],
    "pi": [INTENT, msgspec.structs.replace(INTENT, amount=5, status="canceled", metadata={})],
    "ch": [CHARGE, msgspec.structs.replace(CHARGE, released=True, currency="eur")],
}


@st.composite
def _clauses(draw: st.DrawFn, kind: str) -> Clause:
    name = draw(st.sampled_from(sorted(FIELDS[kind])))
    field = FIELDS[kind][name]
    negated = draw(st.booleans())
    if name == "metadata":
        value = draw(st.sampled_from(("A-1", "a-1", "x", None)))
        operator = ":" if value is None else draw(st.sampled_from(":~"))
        return clause(name, operator, value, key=draw(st.sampled_from(("order", "x"))), negated=negated)
    found = field.read(draw(st.sampled_from(_OBJECTS[kind])))
    if field.type == "number":
        number = int(found or 0) + draw(st.integers(-1, 1))
        return clause(name, draw(st.sampled_from((":", "<", ">", "<=", ">="))), number, negated=negated)
    if found is None:
        return clause(name, ":", None, negated=negated)
    text = draw(st.sampled_from((str(found), str(found).upper(), "other")))
    operator = draw(st.sampled_from(":~")) if field.type == "text" else ":"
    return clause(name, operator, text, negated=negated)


@given(st.data())
def test_whatever_a_query_finds_the_terms_lead_to(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(_OBJECTS)))
    clauses = tuple(data.draw(st.lists(_clauses(kind), min_size=1, max_size=4)))
    query = Query(kind=kind, clauses=clauses, is_any=data.draw(st.booleans()))
    terms = Terms(SCOPE, kind)
    for stored in _OBJECTS[kind]:
        led_to = any(
            accepts(conjunct, terms.entry(stored), stored.created) for conjunct in terms.conjuncts(query)
        )
        assert led_to or not matches(query, stored)
