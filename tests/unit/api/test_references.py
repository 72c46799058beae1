"""Which parameters name objects, and which texts only look like it."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay.api.references import body_with_ours, email_in, is_reference, named_in

OURS, THEIRS = "cus_0198c0de12347abc8def0123456789ab", "cus_OldCustomer1"
FORM, JSON = "application/x-www-form-urlencoded", "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "content_type", "named"),
    [
        (b"customer=%b&amount=5" % THEIRS.encode(), FORM, [THEIRS]),
        (b"a[0][customer]=%b&b=%b" % (OURS.encode(), THEIRS.encode()), FORM, [OURS, THEIRS]),
        (b"customer=cus%%5F%b" % THEIRS[4:].encode(), FORM, [THEIRS]),
        (b'{"a": [{"customer": "%b"}]}' % OURS.encode(), JSON, [OURS]),
        # Texts of the client's own.
        (b"metadata[customer]=%b&description=%b" % (OURS.encode(), OURS.encode()), FORM, []),
        (b'{"metadata": {"customer": "%b"}}' % OURS.encode(), JSON, []),
        # Both sides have the cards of the tests.
        (b"payment_method=pm_card_visa&source=tok_mastercard", FORM, []),
        # No kind of object, and no identifier.
        (b"name=abc_12345678&other=cus_1", FORM, []),
        # Whoever answers refuses what cannot be read.
        (b'{"a": ', JSON, []),
        (b"\xff=&&%%=1", FORM, []),
        (b"&".join([b"a=b"] * 5_000), FORM, []),
    ],
)
def test_references_are_found(body: bytes, content_type: str, named: list[str]) -> None:
    assert named_in(b"", body, content_type) == named


def test_filters_of_lists_name_objects_too() -> None:
    assert named_in(b"limit=3&customer=" + OURS.encode(), b"", "") == [OURS]


def test_the_address_of_a_new_customer_is_found_in_any_spelling() -> None:
    assert email_in(b"email=A%40Shop.example", FORM) == "a@shop.example"
    assert email_in(b'{"email": "A@Shop.example"}', JSON) == "a@shop.example"
    assert email_in(b"name=a", FORM) is None


@pytest.mark.parametrize(
    ("body", "content_type", "renamed"),
    [
        (b"customer=THEIRS&amount=5&&=&a", FORM, b"customer=OURS&amount=5&&=&a"),
        (
            b"a[0][customer]=cus%5FOldCustomer1&b=cus_OldCustomer12",
            FORM,
            b"a[0][customer]=OURS&b=cus_OldCustomer12",
        ),
        (b"metadata[a]=THEIRS&description=THEIRS", FORM, b"metadata[a]=THEIRS&description=THEIRS"),
        (b"metadata%5Ba%5D=THEIRS", FORM, b"metadata%5Ba%5D=THEIRS"),
        (b'{"a":[{"customer":"THEIRS"}],"b":1}', JSON, b'{"a":[{"customer":"OURS"}],"b":1}'),
        (b'{"metadata":{"customer":"THEIRS"}}', JSON, b'{"metadata":{"customer":"THEIRS"}}'),
        (b'{"customer":"THEIRS"', JSON, b'{"customer":"THEIRS"'),
    ],
)
def test_older_identifiers_are_replaced_where_they_are_references(
    body: bytes, content_type: str, renamed: bytes
) -> None:
    body, renamed = (
        text.replace(b"THEIRS", THEIRS.encode()).replace(b"OURS", OURS.encode()) for text in (body, renamed)
    )
    assert body_with_ours(body, content_type, {THEIRS: OURS}) == renamed


_PARTS = st.sampled_from(
    [
        *("=", "&", "%", "%5B", "%5F", "+", "_", "[", ";", "\xe9", "a"),
        *("pi_0123456789", "pi%5F0123456789", "metadata", "customer"),
    ]
)


@given(st.lists(_PARTS, max_size=12).map("".join))
def test_any_form_names_what_it_says_when_it_is_decoded(text: str) -> None:
    pairs = [(name.partition("[")[0], value) for name, value in parse_qsl(text)]
    expected = [value for name, value in pairs if name != "metadata" and is_reference(value)]
    assert named_in(text.encode("latin-1"), b"", "") == expected
    assert named_in(b"", text.encode("latin-1"), FORM) == expected
