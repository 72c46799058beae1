"""The search language: read, and refused with the place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay.api.search import page_token, parse, parse_page_token
from fastpay.domain import kinds
from fastpay.domain.search import Clause, Query
from fastpay.errors import InvalidRequest

IDENTIFIER = "cus_0199e9b7e0007abc8def012345678901"
KEY = b"k" * 32


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ('email:"a@b.c"', [Clause(field="email", operator=":", value="a@b.c")]),
        ("name~'ann'", [Clause(field="name", operator="~", value="ann")]),
        ('-phone:"1"', [Clause(field="phone", operator=":", value="1", negated=True)]),
        ("created>5", [Clause(field="created", operator=">", value=5)]),
        ("created<=5", [Clause(field="created", operator="<=", value=5)]),
        ("created:'5'", [Clause(field="created", operator=":", value=5)]),
        ("name:NULL", [Clause(field="name", operator=":", value=None)]),
        ("metadata['a']~'bcd'", [Clause(field="metadata", key="a", operator="~", value="bcd")]),
        ("created:5", [Clause(field="created", operator=":", value=5)]),
        ('metadata["a b"]:"c"', [Clause(field="metadata", key="a b", operator=":", value="c")]),
        ("metadata['k']:null", [Clause(field="metadata", key="k", operator=":", value=None)]),
        ("-metadata['k']:null", [Clause(field="metadata", key="k", operator=":", value=None, negated=True)]),
        (r'name:"a\"b\\c\'d\e"', [Clause(field="name", operator=":", value="a\"b\\c'd\\e")]),
        ("  name:'a'\t", [Clause(field="name", operator=":", value="a")]),
        ("name:'AND'", [Clause(field="name", operator=":", value="AND")]),
        ("name:'null'", [Clause(field="name", operator=":", value="null")]),
    ],
)
def test_a_clause_is_read(text: str, clauses: list[Clause]) -> None:
    assert parse(text, kinds.CUSTOMER) == Query(kind="cus", clauses=tuple(clauses))


@pytest.mark.parametrize(
    ("text", "is_any"),
    [
        ("name:'a' AND created>5", False),
        ("name:'a' and created>5", False),
        ("name:'a' created>5", False),
        ("name:'a' OR created>5", True),
        ("name:'a' or created>5", True),
    ],
)
def test_clauses_are_joined_by_one_word(text: str, is_any: bool) -> None:
    query = parse(text, kinds.CUSTOMER)
    assert len(query.clauses) == 2
    assert query.is_any is is_any


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "name",
        "name:",
        "name:a",
        "name:''",
        'name:"a',
        "name:\"a'",
        'name:"a\\"',
        "name>'a'",
        "name:nulls",
        "name~'ab'",
        "metadata['a']~'ab'",
        "created:'x'",
        "created:'5",
        "name~null",
        "name:5",
        "amount>5",
        "status:'succeeded'",
        "name : 'a'",
        "shoe:'a'",
        "Name:'a'",
        "created~5",
        "created>-5",
        "created>5.5",
        "created>5e3",
        "created>1234567890123456",
        "created:null",
        "metadata:'a'",
        "metadata[a]:'b'",
        "metadata['a':'b'",
        "metadata['']:'b'",
        "metadata['a']>'b'",
        "metadata['a']:nullable",
        "--name:'a'",
        "-",
        "AND",
        "name:'a' AND",
        "name:'a' OR ",
        "AND name:'a'",
        "name:'a' AND AND name:'b'",
        "name:'a'created>5",
        "name:'a' AND phone:'b' OR email:'c'",
        "name:'a' OR phone:'b' email:'c'",
        "(name:'a')",
        "name:'a');drop table customer",
        "name:'a' " * (limits.search_clauses_max + 1),
        "name:'" + "a" * limits.search_query_chars_max + "'",
        "-" * 900,
        "metadata[" * 100,
    ],
)
def test_what_is_no_query_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse(text, kinds.CUSTOMER)
    assert refusal.value.param == "query"


def test_a_refusal_says_where_and_nothing_of_whom() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse("email:'zoe@example.com' AND shoe:'zoe'", kinds.CUSTOMER)
    assert "character 29" in refusal.value.message
    assert "zoe" not in refusal.value.message


@given(st.text(max_size=80))
def test_any_text_is_a_query_or_refused(text: str) -> None:
    try:
        query = parse(text, kinds.CUSTOMER)
    except InvalidRequest as refusal:
        assert refusal.param == "query"  # noqa: PT017  either way is right
    else:
        assert query.clauses


def test_a_page_token_stands_for_its_place_in_its_own_query_alone() -> None:
    token = page_token(IDENTIFIER, "name:'a'", KEY)
    assert parse_page_token(token, "name:'a'", KEY) == IDENTIFIER[-32:]
    for wrong, query, key in (
        (token, "name:'b'", KEY),
        (token, "name:'a'", b"x" * 32),
        (token[:-4], "name:'a'", KEY),
        ("_" + token[1:], "name:'a'", KEY),
        ("", "name:'a'", KEY),
        ("ä", "name:'a'", KEY),
        ("A" * 1000, "name:'a'", KEY),
    ):
        with pytest.raises(InvalidRequest) as refusal:
            parse_page_token(wrong, query, key)
        assert refusal.value.param == "page"
