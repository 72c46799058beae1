"""Forms: what they mean, what is refused, and agreement with the plain oracle."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native.form import FormError, parse
from tests.reference import form as oracle


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        (b"", {}),
        (b"a=1", {"a": "1"}),
        (b"a=", {"a": ""}),
        (b"a==", {"a": "="}),
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"&a=1&&b=2&", {"a": "1", "b": "2"}),
        (b"a=x+y%2Bz", {"a": "x y+z"}),
        (b"na+me=1", {"na me": "1"}),
        (b"a=%C3%A9", {"a": "é"}),
        (b"a=\xc3\xa9", {"a": "é"}),
        (b"%61=1", {"a": "1"}),
        (b"a=%26%3D", {"a": "&="}),
        (b"a=[x]", {"a": "[x]"}),
        (b"metadata[order]=1", {"metadata": {"order": "1"}}),
        (b"metadata%5Border%5D=1", {"metadata": {"order": "1"}}),
        (b"card[number]=4&card[cvc]=5", {"card": {"number": "4", "cvc": "5"}}),
        (b"expand[]=x&expand[]=y", {"expand": ["x", "y"]}),
        (b"expand[1]=y&expand[0]=x", {"expand": {"1": "y", "0": "x"}}),
        (b"items[0][price]=p&items[0][n]=2", {"items": {"0": {"price": "p", "n": "2"}}}),
        (b"a[b][]=1&a[b][]=2", {"a": {"b": ["1", "2"]}}),
        (b"a[b][c][d][e][f]=1", {"a": {"b": {"c": {"d": {"e": {"f": "1"}}}}}}),
    ],
)
def test_a_form_becomes_a_tree(body: bytes, tree: dict[str, Any]) -> None:
    assert parse(body) == tree


@pytest.mark.parametrize(
    ("body", "param", "word"),
    [
        (b"a=%", "a", "hexadecimal"),
        (b"a=%4", "a", "hexadecimal"),
        (b"a=%4&b=1", "a", "hexadecimal"),
        (b"a=%g0", "a", "hexadecimal"),
        (b"a=%0g", "a", "hexadecimal"),
        (b"%=1", None, "hexadecimal"),
        (b"a=%ff", "a", "UTF-8"),
        (b"a=\xff", "a", "UTF-8"),
        (b"a=%ed%a0%80", "a", "UTF-8"),
        (b"a=%c0%80", "a", "UTF-8"),
        (b"\xff=1", None, "UTF-8"),
        (b"a=%00", "a", "NUL"),
        (b"a=\x00", "a", "NUL"),
        (b"a\x00b=1", None, "NUL"),
        (b"a", "a", "'='"),
        (b"a=1&b", "b", "'='"),
        (b"a&b=1", "a", "'='"),
        (b"=1", None, "no name"),
        (b"a=1&a=2", "a", "single value"),
        (b"a=&a=", "a", "single value"),
        (b"a[b]=1&a[b]=2", "a[b]", "single value"),
        (b"a=1&%61=1", "a", "single value"),
        (b"a=1&a[b]=2", "a[b]", "single value"),
        (b"a[b]=1&a=2", "a", "an object"),
        (b"a[]=1&a=2", "a", "a list"),
        (b"a=1&a[]=2", "a[]", "single value"),
        (b"a[]=1&a[0]=2", "a[0]", "a list"),
        (b"a[0]=1&a[]=2", "a[]", "an object"),
        (b"a[b]=1&a[b][c]=2", "a[b][c]", "single value"),
        (b"a[=1", "a[", "brackets"),
        (b"a]=1", "a]", "brackets"),
        (b"a[b=1", "a[b", "brackets"),
        (b"a[b=c]=1", "a[b", "brackets"),
        (b"a[b]c=1", "a[b]c", "brackets"),
        (b"a[b]]=1", "a[b]]", "brackets"),
        (b"a[[b]]=1", "a[[b]]", "brackets"),
        (b"[a]=1", "[a]", "brackets"),
        (b"[]=1", "[]", "brackets"),
        (b"a]b[c]=1", "a]b[c]", "brackets"),
        (b"a[][b]=1", "a[][b]", "Number the elements"),
        (b"a[b][c][d][e][f][g]=1", "a[b][c][d][e][f][g]", "too deeply"),
    ],
)
def test_what_is_ambiguous_or_malformed_is_refused(body: bytes, param: str | None, word: str) -> None:
    with pytest.raises(FormError, match=word) as caught:
        parse(body)
    assert caught.value.param == param


def test_no_message_holds_a_value() -> None:
    with pytest.raises(FormError) as caught:
        parse(b"number=4242424242424242&number=4242424242424242")
    assert "4242" not in caught.value.message


def test_as_many_fields_as_allowed_are_taken_and_one_more_is_refused() -> None:
    fields = [b"a[%d]=%d" % (index, index) for index in range(limits.form_fields_max)]
    tree: Any = parse(b"&".join(fields))
    assert len(tree["a"]) == limits.form_fields_max
    with pytest.raises(FormError, match="Too many fields"):
        parse(b"&".join([*fields, b"b=1"]))


def test_a_body_of_nothing_but_brackets_is_refused_at_once() -> None:
    with pytest.raises(FormError, match="too deeply"):
        parse(b"a" + b"[b]" * 300_000 + b"=1")
    with pytest.raises(FormError, match="do not match"):
        parse(b"a" + b"[" * 300_000 + b"=1")


def test_names_that_share_a_slot_stay_apart() -> None:
    names = ["".join(letters) for size in range(1, 9) for letters in product("ab", repeat=size)]
    for name in [*names, *reversed(names)]:
        assert parse(name.encode() + b"=1") == {name: "1"}


def test_a_long_value_comes_back_whole() -> None:
    assert parse(b"a=" + b"%41" * 300_000) == {"a": "A" * 300_000}


_TOKENS = st.sampled_from(
    b"a b 0 1 [ ] [] [a] [0] = & &a= &b[a]= % %5B %5d %00 %C3%A9 \xc3\xa9 \xff \0 + %2".split(b" ")
)


@given(st.lists(_TOKENS, max_size=24).map(b"".join) | st.binary(max_size=64))
def test_any_bytes_give_what_the_oracle_gives(body: bytes) -> None:
    try:
        expected = oracle.parse(body)
    except ValueError:
        with pytest.raises(FormError):
            parse(body)
    else:
        assert parse(body) == expected
